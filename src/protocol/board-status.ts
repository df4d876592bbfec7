export const BOOT_STAGES = [
  'self_test',
  'configuration',
  'security',
  'registry',
  'storage',
  'compute',
  'extensions',
  'control_plane',
] as const;
export type BootStage = (typeof BOOT_STAGES)[number];

export interface ComponentHealth {
  readonly name: string;
  readonly stage: BootStage;
  readonly status: 'starting' | 'healthy' | 'degraded' | 'restarting' | 'failed' | 'stopped';
  readonly optional: boolean;
  /** Why it is not healthy; null where it is. */
  readonly detail: string | null;
}

/** Body of /livez and /readyz. */
export interface BoardStatus {
  readonly status: 'booting' | 'ready' | 'degraded' | 'draining';
  readonly stage: BootStage | 'ready';
  readonly components: readonly ComponentHealth[];
}
