/**
 * Which migrations a project has had, in its own database, so that it goes where the data goes: into its backups and its
 * copies. It is nobody's data: `mag types` leaves it out, and no grant on `*` means it.
 */
export const MIGRATIONS_TABLE = 'mag_migrations';
