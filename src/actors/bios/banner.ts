import type { ProjectView } from '../../protocol/project.ts';

export interface BannerContent {
  readonly version: string;
  readonly url: string;
  readonly dataDir: string;
  /** One-time ticket for the console's login link. */
  readonly ticket: string;
  /** Only on the boot that generated it. */
  readonly adminKey: string | null;
  readonly demo: ProjectView | null;
  /** What each slot runs on, in the order to show: `['storage', 'node:sqlite, embedded PostgreSQL 18']`. */
  readonly slots: readonly (readonly [slot: string, provider: string])[];
}

type Line = readonly [label: string, value: string];

/** What an operator needs after the start, aligned, without colours so that it can be copied and searched. */
export function renderBanner(content: BannerContent): string {
  const access: Line[] = [
    ['Board', content.url],
    ['Console', `${content.url}/?ticket=${content.ticket}`],
    ['', '(signs in once, within 10 minutes)'],
  ];
  if (content.adminKey !== null) {
    access.push(['Admin key', content.adminKey], ['', '(shown this once, only its hash is stored)']);
  }
  const blocks: Line[][] = [access];
  if (content.demo !== null) {
    const { url, keys } = content.demo;
    const demo: Line[] = [['Demo project', url]];
    if (keys !== undefined) demo.push(['  anon key', keys.anon], ['  service key', keys.service]);
    blocks.push(demo);
  }
  blocks.push([
    ...content.slots.map(([slot, provider]): Line => [slot, provider]),
    ['Data', content.dataDir],
  ]);
  blocks.push([['Stop', 'Ctrl-C, or SIGTERM: finishes what is in flight first']]);
  const width = Math.max(...blocks.flat().map(([label]) => label.length));
  const text = blocks
    .map((lines) => lines.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`).join('\n'))
    .join('\n\n');
  return `\n  MagMoBo ${content.version} is ready\n\n${text}\n\n`;
}

/** On a terminal to stdout; otherwise to stderr, because stdout then carries JSON lines. */
export function printBanner(
  content: BannerContent,
  out: { readonly stdout: NodeJS.WriteStream; readonly stderr: NodeJS.WriteStream },
): void {
  const stream = out.stdout.isTTY === true ? out.stdout : out.stderr;
  stream.write(renderBanner(content));
}
