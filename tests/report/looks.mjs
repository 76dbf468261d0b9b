// What can be checked of a page by looking at it: it fits, it has its structure, axe-core finds nothing.
import axe from 'axe-core';

/** Opens every disclosure, so that nothing is left out of a check. */
export async function openAll(tab) {
  await tab.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true; }));
}

/** Nothing is wider than the page, and nothing sticks out of it. */
export async function fits(tab, report) {
  const found = await tab.evaluate(() => {
    const root = document.documentElement;
    const wide = root.scrollWidth > root.clientWidth ? [`the page scrolls sideways: ${root.scrollWidth} > ${root.clientWidth}`] : [];
    for (const element of document.querySelectorAll('main *, header *, footer *, nav *')) {
      if (element.closest('thead') || !element.checkVisibility()) continue;
      const box = element.getBoundingClientRect();
      if (box.width > 0 && (box.right > root.clientWidth + 1 || box.left < -1)) {
        wide.push(`<${element.tagName.toLowerCase()} class="${element.getAttribute('class') ?? ''}"> reaches ${Math.round(box.right)}`);
      }
    }
    for (const element of document.querySelectorAll('code, pre, dd, td, th, p, li')) {
      if (element.checkVisibility() && !element.closest('thead') && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline') {
        wide.push(`<${element.tagName.toLowerCase()}> is clipped: ${element.textContent.slice(0, 60)}`);
      }
    }
    return wide.slice(0, 5);
  });
  for (const problem of found) report(problem);
}

/** Language, title, one first heading, landmarks, captions, scopes, and a title and description for every drawing. */
export async function structure(tab, report, least) {
  const found = await tab.evaluate((least) => {
    const wrong = [];
    const expect = (what, holds) => holds || wrong.push(what);
    const all = (selector) => [...document.querySelectorAll(selector)];
    expect('lang', document.documentElement.lang === 'en');
    expect('title', document.title.length > 10);
    expect('one h1', all('h1').length === 1);
    for (const landmark of ['header', 'main', 'nav', 'footer']) expect(`one ${landmark}`, all(`body > ${landmark}, main > ${landmark}`).length === 1);
    expect('tables', all('table').length >= least.tables);
    for (const table of all('table')) expect('a caption', table.caption?.textContent.length > 3);
    for (const cell of all('th')) expect('a scope', ['col', 'row'].includes(cell.scope));
    expect('drawings', all('svg[role=img]').length >= least.drawings);
    for (const drawing of all('svg[role=img]')) {
      const said = (name) => document.getElementById(drawing.getAttribute(name))?.textContent ?? '';
      expect('a title', said('aria-labelledby').length > 20);
      expect('a description', said('aria-describedby').includes('M3.J'));
    }
    expect('ids once', new Set(all('[id]').map((element) => element.id)).size === all('[id]').length);
    for (const link of all('a')) {
      const target = link.getAttribute('href');
      expect(`a target for ${target}`, target?.startsWith('#') && document.getElementById(target.slice(1)));
    }
    return wrong;
  }, least);
  for (const problem of found) report(`the page lacks ${problem}`);
}

/** axe-core, every rule that it has; nothing may be found. What it leaves undecided about contrast `contrast` decides. */
export async function accessibility(tab, report, counts) {
  await tab.evaluate(axe.source);
  const result = await tab.evaluate(() => window.axe.run(document, { resultTypes: ['violations', 'incomplete'] }));
  counts.axe_runs += 1;
  counts.axe_rules_passed += result.passes.length;
  for (const rule of result.violations) {
    counts.axe_findings += rule.nodes.length;
    const node = rule.nodes[0];
    report(`axe ${rule.id} (${rule.impact}), ${rule.nodes.length} times: ${node.html.slice(0, 160)} ${node.failureSummary?.slice(0, 200) ?? ''}`);
  }
  // Text in a drawing, and text that goes over several lines beside other text.
  const undecided = result.incomplete.filter((rule) => rule.id === 'color-contrast').flatMap((rule) => rule.nodes);
  await contrast(tab, report, counts, undecided.map((node) => node.target.at(-1)));
}

/** Text against every ground that it may stand on, 4.5 to 1 at least: all text of the drawings, and what `selectors` name. */
async function contrast(tab, report, counts, selectors) {
  const found = await tab.evaluate((selectors) => {
    const luminance = (colour) => {
      const [r, g, b] = colour.match(/[\d.]+/g).map(Number).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ratio = (a, b) => {
      const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
      return (high + 0.05) / (low + 0.05);
    };
    const paper = getComputedStyle(document.body).backgroundColor;
    const ground = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (colour !== 'rgba(0, 0, 0, 0)') return colour;
      }
      return paper;
    };
    const pairs = [];
    for (const text of document.querySelectorAll('svg text, svg tspan')) {
      if (!text.checkVisibility()) continue;
      const box = text.closest('g.node')?.querySelector('.box');
      const grounds = [paper, ...(box ? [getComputedStyle(box).fill] : [])];
      for (const colour of grounds) pairs.push([text, getComputedStyle(text).fill, colour]);
    }
    const drawn = pairs.length;
    for (const selector of selectors) {
      const text = document.querySelector(selector);
      if (text.namespaceURI.endsWith('xhtml')) pairs.push([text, getComputedStyle(text).color, ground(text)]);
    }
    const low = pairs.map(([text, colour, on]) => [text.textContent, ratio(colour, on)]).filter(([, reached]) => !(reached >= 4.5));
    return { drawn, low: low.slice(0, 5).map(([text, reached]) => `"${text.slice(0, 60)}" has a contrast of ${reached.toFixed(2)}`) };
  }, selectors);
  counts.drawn_texts += found.drawn;
  for (const problem of found.low) report(problem);
}
