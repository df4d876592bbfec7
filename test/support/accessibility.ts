// @ts-nocheck: what is inside evaluate() runs in the page, with types of the DOM that this program must not have.
import type { Page } from 'playwright-core';

/**
 * What a page owes a keyboard and a screen reader, as sentences about the elements that break it; empty is good.
 * Names are those the browser's own accessibility tree computes where it can be asked, so only obvious gaps show here.
 */
export const accessibilityFaults = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() => {
    const faults: string[] = [];
    const all = (selector: string): HTMLElement[] => [...document.querySelectorAll<HTMLElement>(selector)];
    const shown = (element: Element): boolean =>
      element.checkVisibility() && element.closest('[aria-hidden=true]') === null;
    const say = (element: Element, what: string): void => {
      faults.push(`${element.outerHTML.slice(0, 120)}: ${what}`);
    };
    const nameOf = (element: HTMLElement): string => {
      const by = element.getAttribute('aria-labelledby');
      const label = element.getAttribute('aria-label') ?? '';
      const labels = 'labels' in element ? [...((element as HTMLInputElement).labels ?? [])] : [];
      const texts = by === null ? labels : by.split(' ').map((id) => document.getElementById(id));
      return (
        label ||
        texts
          .map((text) => text?.textContent ?? '')
          .join(' ')
          .trim() ||
        element.textContent.trim()
      );
    };

    if (document.documentElement.lang === '') faults.push('the page has no language');
    if (document.title === '') faults.push('the page has no title');
    if (all('h1').length !== 1) faults.push(`the page has ${all('h1').length} first headings`);
    if (all('main').length !== 1) faults.push(`the page has ${all('main').length} main regions`);
    for (const element of all(
      'button, a[href], input, select, [role=tree], [role=treeitem], dialog, section',
    )) {
      if (shown(element) && nameOf(element) === '') say(element, 'has no name');
    }
    for (const svg of document.querySelectorAll('svg')) {
      if (svg.getAttribute('aria-hidden') !== 'true' && !svg.hasAttribute('aria-label'))
        say(svg, 'has no name');
    }
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    for (const id of new Set(ids))
      if (ids.filter((other) => other === id).length > 1) faults.push(`id ${id} twice`);
    for (const element of all('[aria-labelledby]')) {
      for (const id of (element.getAttribute('aria-labelledby') ?? '').split(' ')) {
        if (document.getElementById(id) === null) say(element, `is named by ${id}, which is not there`);
      }
    }
    for (const tree of all('[role=tree]')) {
      const items = [...tree.querySelectorAll<HTMLElement>('[role=treeitem]')];
      const stops = items.filter((item) => item.tabIndex === 0);
      if (items.length > 0 && stops.length !== 1) say(tree, `has ${stops.length} tab stops`);
      for (const item of items) {
        for (const name of ['aria-level', 'aria-posinset', 'aria-setsize', 'aria-selected']) {
          if (!item.hasAttribute(name)) say(item, `has no ${name}`);
        }
      }
    }
    if (document.documentElement.scrollWidth > innerWidth) faults.push('the page scrolls sideways');
    return faults;
  });

/** Texts whose colour is less than 4.5:1 away from what is behind them (WCAG AA), with the ratio. */
export const contrastFaults = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    if (canvas === null) return ['no canvas'];
    type Colour = readonly [number, number, number, number];
    const parse = (colour: string): Colour => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r = 0, g = 0, b = 0, a = 0] = canvas.getImageData(0, 0, 1, 1).data;
      return [r, g, b, a / 255];
    };
    const over = (top: Colour, under: Colour): Colour => {
      const mix = (a: number, b: number): number => a * top[3] + b * (1 - top[3]);
      return [mix(top[0], under[0]), mix(top[1], under[1]), mix(top[2], under[2]), 1];
    };
    const light = ([r, g, b]: Colour): number => {
      const part = (value: number): number =>
        value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
      return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    };
    const behind = (element: Element | null): Colour => {
      if (element === null) return parse(getComputedStyle(document.documentElement).backgroundColor);
      const own = parse(getComputedStyle(element).backgroundColor);
      return own[3] >= 0.99 ? own : over(own, behind(element.parentElement));
    };
    const faults: string[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement;
      const text = node.textContent?.trim() ?? '';
      if (element === null || text === '' || !element.checkVisibility({ opacityProperty: true })) continue;
      if (element.closest('svg, noscript, :disabled, option') !== null) continue;
      const back = behind(element);
      const front = over(parse(getComputedStyle(element).color), back);
      const [low = 0, high = 0] = [light(front), light(back)].sort((a, b) => a - b);
      const ratio = (high + 0.05) / (low + 0.05);
      if (ratio < 4.5) faults.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
    return [...new Set(faults)];
  });
