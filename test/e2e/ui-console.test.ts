import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { accessibilityFaults, contrastFaults } from '../support/accessibility.ts';
import { startBoardConsole } from '../support/console-of-board.ts';
import { startConsole, type TestConsole } from '../support/console-server.ts';
import { service } from '../support/services/index.ts';

const found = service('chromium');
const SHOTS = process.env.MAG_TEST_SCREENSHOTS ?? null;
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let browser: Browser;
let consoleServer: TestConsole;
let context: BrowserContext;
let page: Page;
/** Whatever the page complained about. */
let complaints: string[];

const shot = async (name: string): Promise<void> => {
  if (SHOTS === null) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
};

const openPage = async (options: Parameters<Browser['newContext']>[0] = {}): Promise<void> => {
  context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  page = await context.newPage();
  complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(consoleServer.url).host) complaints.push(request.url());
  });
  await page.goto(consoleServer.url);
};

const signIn = async (): Promise<void> => {
  await page.getByLabel('Admin key').fill(consoleServer.adminKey);
  await page.keyboard.press('Enter');
  await row('board').waitFor();
};

/** The tree's line of an actor by its path. */
const row = (path: string): Locator => page.locator(`[role=treeitem][id="row:${path}"]`);
const inDetails = (text: string | RegExp): Locator => page.locator('#detail').getByText(text);
const restartsOf = async (path: string): Promise<number> =>
  Number(/(\d+) restart/.exec((await row(path).getAttribute('aria-label')) ?? '')?.[1]);
const eventsOf = (type: string): Locator =>
  page
    .getByRole('log')
    .getByRole('listitem')
    .filter({ hasText: type })
    .filter({ hasText: consoleServer.victim });
/** Strings, not functions: this program has no types of the DOM. */
const focusedId = (): Promise<string> => page.evaluate<string>('document.activeElement?.id ?? ""');
const style = (selector: string, property: string): Promise<string> =>
  page.evaluate<string>(`getComputedStyle(document.querySelector('${selector}')).${property}`);
const hasFocus = async (element: Locator): Promise<boolean> =>
  (await element.and(page.locator(':focus')).count()) === 1;

/** Moves through the tree with the arrow keys alone. */
const goTo = async (path: string): Promise<void> => {
  for (let step = 0; (await focusedId()) !== `row:${path}`; step += 1) {
    if (step > 400) throw new Error(`no way to ${path} by the arrow keys`);
    await page.keyboard.press('ArrowDown');
  }
};

const CONSOLES = [
  ['over actors of its own', startConsole],
  ['of a whole board', startBoardConsole],
] as const;

describe.skipIf(!found.available).each(CONSOLES)('the console in a browser, %s', (_name, start) => {
  beforeAll(async () => {
    consoleServer = await start();
    browser = await chromium.launch({
      executablePath: found.available ? found.url : '',
      args: FLAGS,
    });
  });

  afterAll(async () => {
    await browser?.close();
    await consoleServer?.stop();
  });

  beforeEach(() => openPage());
  afterEach(() => context.close());

  it('asks for the key, says what is wrong with a wrong one, and shows the tree after the right one', async () => {
    await page.getByLabel('Admin key').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('MAG_ADMIN_KEY_INVALID').waitFor();
    // The browser itself reports a refused request; nothing else may be there.
    expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
    complaints = [];
    await signIn();
    await page.getByText('live', { exact: true }).waitFor();
    expect(await page.getByRole('treeitem').count()).toBeGreaterThan(3);
    await page.reload();
    await row('board').waitFor();
    expect(complaints).toEqual([]);
  });

  it('crashes a component by keyboard alone, and shows it fail, back off and come back', async () => {
    await signIn();
    const { victim } = consoleServer;
    const before = await restartsOf(victim);
    await page.keyboard.press('/');
    expect(await focusedId()).toBe('tree-filter');
    await page.keyboard.press('ArrowDown');
    await goTo(victim);
    expect(await style(':focus', 'outlineStyle')).toBe('solid');
    await page.keyboard.press('Enter');
    expect(await row(victim).getAttribute('aria-selected')).toBe('true');
    await inDetails(victim).waitFor();
    const crash = page.getByRole('button', { name: 'Crash…' });
    for (let step = 0; !(await hasFocus(crash)); step += 1) {
      if (step > 20) throw new Error('Tab does not lead to the crash button');
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: /^Crash / }).waitFor();
    await page.keyboard.type('fire drill');
    await shot('dialog');
    await page.keyboard.press('Enter');
    await eventsOf('failed').filter({ hasText: 'fire drill' }).waitFor();
    await eventsOf('backing off').waitFor();
    await shot('failing');
    await eventsOf('ready').waitFor();
    await expect.poll(() => restartsOf(victim)).toBe(before + 1);
    await expect.poll(() => row(victim).getAttribute('aria-label')).toMatch(/running|healthy/);
    await inDetails(/fire drill/)
      .first()
      .waitFor();
    expect(await hasFocus(crash)).toBe(true);
    await shot('recovered');
    expect(complaints).toEqual([]);
  });

  it('pauses, resumes, restarts and stops what is selected, asking before it stops', async () => {
    await signIn();
    const { victim } = consoleServer;
    const says = (what: string): Promise<void> =>
      page
        .locator('#detail')
        .getByRole('heading', { level: 2 })
        .locator('~ .badge')
        .getByText(what)
        .waitFor();
    await row(victim).click();
    await page.getByRole('button', { name: 'Pause' }).click();
    await says('paused');
    await page.getByRole('button', { name: 'Resume' }).click();
    await says('healthy');
    await page.getByRole('button', { name: 'Stop…' }).click();
    const dialog = page.getByRole('dialog', { name: /^Stop / });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Stop…' }).click();
    await dialog.getByRole('button', { name: 'Stop it' }).click();
    await says('stopped');
    await page.getByRole('button', { name: 'Restart' }).click();
    await says('healthy');
    expect(complaints).toEqual([]);
  });

  it('shows what the board refuses with its code', async () => {
    await signIn();
    await row('board').click();
    await page.getByRole('button', { name: 'Stop…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop it' }).click();
    await page.getByRole('alert').getByText(/^MAG_/).waitFor();
  });

  it('crashes a worker in the way that was chosen', async () => {
    await signIn();
    const below = page.locator('[role=treeitem][id^="row:board/edges/edge-2/"]');
    const [restarts, parts] = [await restartsOf('board/edges/edge-2'), await below.count()];
    await row('board/edges/edge-2').click();
    await page.getByRole('button', { name: 'Crash…' }).click();
    await page.getByLabel('Reason').fill('left for good');
    await page.getByLabel('Its thread exits').check();
    const asked = page.waitForRequest((request) => request.url().endsWith('/edge-2/crash'));
    await page.keyboard.press('Enter');
    expect((await asked).postDataJSON()).toEqual({ reason: 'left for good', fault: 'exit' });
    // It comes back whole: the tests after this one find the tree as it was.
    await expect.poll(() => restartsOf('board/edges/edge-2'), { timeout: 20_000 }).toBeGreaterThan(restarts);
    await expect.poll(() => below.count(), { timeout: 20_000 }).toBe(parts);
  });

  it('opens, closes and leaves the tree by the keys of a tree view', async () => {
    await signIn();
    await row('board').focus();
    const all = await page.getByRole('treeitem').count();
    await page.keyboard.press('ArrowLeft');
    expect(await row('board').getAttribute('aria-expanded')).toBe('false');
    expect(await page.getByRole('treeitem').count()).toBe(1);
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('treeitem').count()).toBe(all);
    await page.keyboard.press('End');
    expect(await focusedId()).toBe((await page.getByRole('treeitem').last().getAttribute('id')) ?? '-');
    expect(complaints).toEqual([]);
  });

  it('filters by path, kind and state, and says so where nothing matches', async () => {
    await signIn();
    await page.getByLabel('Filter actors').fill(consoleServer.victim);
    await expect.poll(() => page.getByRole('treeitem').count()).toBe(consoleServer.victim.split('/').length);
    await page.getByLabel('Filter actors').fill('no such actor');
    await page.getByText('Nothing matches').waitFor();
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await row('board').waitFor();
    expect(complaints).toEqual([]);
  });

  it('says when the connection is gone, and is live again by itself', async () => {
    await signIn();
    await page.getByText('live', { exact: true }).waitFor();
    // Being back may take no longer than a look at the page: every word is written down.
    await page.evaluate(`
      seen = [];
      const link = document.querySelector('.link-state');
      const note = () => seen.push(link.textContent.trim(), document.querySelectorAll('[role=treeitem]').length);
      new MutationObserver(note).observe(link, { subtree: true, childList: true, characterData: true });
    `);
    await consoleServer.cutSockets();
    const seen = (): Promise<string> => page.evaluate<string>('seen.join(" ")');
    await expect.poll(seen, { timeout: 10_000 }).toMatch(/^reconnecting [1-9]\d* .*live/);
  });

  it('asks for the key again when the session has ended', async () => {
    await signIn();
    await context.clearCookies();
    await consoleServer.cutSockets();
    await page.getByLabel('Admin key').waitFor();
    await signIn();
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Admin key').waitFor();
    expect(await context.cookies()).toEqual([]);
  });

  it('opens at the actor that its address names, whatever else somebody typed', async () => {
    await signIn();
    await page.goto(`${consoleServer.url}/#/actors/${consoleServer.victim}`);
    await page.reload();
    await inDetails(consoleServer.victim).waitFor();
    await page.goto(`${consoleServer.url}/#/actors/%E0%A4%A`);
    await page.reload();
    await row('board').waitFor();
    expect(complaints).toEqual([]);
  });

  it('lists projects, makes one and deletes it', async () => {
    await signIn();
    await page.getByRole('link', { name: 'Projects' }).click();
    await page.getByLabel('Name').fill('from-the-page');
    await page.getByRole('button', { name: 'Create project' }).click();
    await page.getByText('Keep its keys now').waitFor();
    const line = page.getByRole('row').filter({ hasText: 'from-the-page' });
    await line.getByRole('button', { name: 'Copy: the URL of from-the-page' }).waitFor();
    await shot('projects');
    await line.getByRole('button', { name: 'Delete from-the-page…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete it' }).click();
    await line.waitFor({ state: 'detached' });
    expect(complaints).toEqual([]);
  });

  it('exchanges a one-time ticket, and takes it out of the address', async () => {
    if (consoleServer.ticket === null) return;
    await page.goto(`${consoleServer.url}/?ticket=${consoleServer.ticket}`);
    await row('board').waitFor();
    expect(page.url()).not.toContain('ticket');
    expect(complaints).toEqual([]);
  });
});

describe.skipIf(!found.available)('the console, for every eye and screen', () => {
  beforeAll(async () => {
    consoleServer = await startConsole();
    browser = await chromium.launch({ executablePath: found.available ? found.url : '', args: FLAGS });
  });

  afterAll(async () => {
    await browser?.close();
    await consoleServer?.stop();
  });

  afterEach(() => context.close());

  it.each([
    ['light', 1280, 800],
    ['dark', 1280, 800],
    ['light', 360, 740],
    ['dark', 360, 740],
  ] as const)(
    'has names, roles, contrast and no sideways scrolling: %s, %i wide',
    async (scheme, width, height) => {
      await openPage({ viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce' });
      expect(await accessibilityFaults(page)).toEqual([]);
      expect(await contrastFaults(page)).toEqual([]);
      await signIn();
      await row(consoleServer.victim).click();
      await inDetails(consoleServer.victim).waitFor();
      expect(await accessibilityFaults(page)).toEqual([]);
      expect(await contrastFaults(page)).toEqual([]);
      await shot(`actors-${scheme}-${width}`);
      await page.getByRole('link', { name: 'Projects' }).click();
      await page.getByLabel('Name').waitFor();
      expect(await accessibilityFaults(page)).toEqual([]);
      expect(await contrastFaults(page)).toEqual([]);
      expect(complaints).toEqual([]);
    },
  );

  it('follows the system between dark and light until the reader chooses', async () => {
    await openPage({ colorScheme: 'dark' });
    const background = (): Promise<string> => style('html', 'backgroundColor');
    const dark = await background();
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await background();
    expect(light).not.toBe(dark);
    await signIn();
    await page.getByRole('button', { name: 'Theme: auto' }).click();
    await page.getByRole('button', { name: 'Theme: light' }).click();
    expect(await background()).toBe(dark);
    await page.reload();
    await page.getByRole('button', { name: 'Theme: dark' }).waitFor();
    expect(await background()).toBe(dark);
  });

  it('is measured by checks that can fail', async () => {
    await openPage();
    await page.evaluate(`
      document.querySelector('button').textContent = '';
      document.querySelector('h1').style.color = '#999';
      document.querySelector('h1').style.width = '5000px';
    `);
    const faults = (await accessibilityFaults(page)).join('\n');
    expect(faults).toMatch(/button.*has no name/);
    expect(faults).toContain('scrolls sideways');
    expect(await contrastFaults(page)).toEqual([expect.stringMatching(/^MagMoBo: 2\./)]);
  });
});
