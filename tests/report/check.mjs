// Looks at report pages in headless Chromium. `node check.mjs ORDER.json`; the order names the browser, the pages and the
// folder for screenshots. Prints every problem, then one JSON object of counts as the last line; exits 1 on any problem.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { keyboard } from './keyboard.mjs';
import { hostile, inert } from './hostile.mjs';
import { accessibility, fits, openAll, structure } from './looks.mjs';
import { print } from './print.mjs';

// The pages of phase entries: an answer and what it rests on, and no execution to draw.
const ENTRIES = ['admitted', 'refused'];

const order = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const problems = [];
const counts = {
  pages: 0, views: 0, axe_runs: 0, axe_rules_passed: 0, axe_findings: 0, focus_stops: 0, details_in_print: 0,
  drawn_texts: 0, hostile_texts_found: 0, screenshots: 0,
};
const VIEWPORTS = { phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 900 } };

const browser = await chromium.launch({
  executablePath: order.browser,
  headless: true,
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
});

/** Opens a page in a context of its own, and notes everything that it does beside being shown. */
async function view(page, options, look) {
  const context = await browser.newContext({ deviceScaleFactor: 1, ...options });
  const tab = await context.newPage();
  const url = pathToFileURL(page.path).href;
  const where = `${page.name}, ${options.label}`;
  const report = (problem) => problems.push(`${where}: ${problem}`);
  tab.on('request', (request) => request.url() === url || report(`asks for ${request.url().slice(0, 200)}`));
  tab.on('console', (message) => report(`console ${message.type()}: ${message.text()}`));
  tab.on('pageerror', (error) => report(`error: ${error.message}`));
  tab.on('dialog', (dialog) => { report(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  tab.on('popup', () => report('opens a window'));
  await tab.goto(url);
  counts.views += 1;
  await look(tab, report);
  if (tab.url().split('#')[0] !== url) report(`went to ${tab.url()}`);
  await context.close();
}

async function screenshot(tab, name, options = {}) {
  await tab.screenshot({ path: join(order.out, `${name}.png`), ...options });
  counts.screenshots += 1;
}

/** Two pages with everything on them are looked at in every way, the others in the two that differ most. */
const THOROUGH = ['held', 'tampered'];

for (const page of order.pages) {
  counts.pages += 1;
  const thorough = THOROUGH.includes(page.name);
  for (const [width, viewport] of Object.entries(VIEWPORTS)) {
    for (const colorScheme of ['light', 'dark']) {
      const label = `${width} ${colorScheme}`;
      await view(page, { viewport, colorScheme, label }, async (tab, report) => {
        await screenshot(tab, `${page.name}-${width}-${colorScheme}`);
        await fits(tab, report);
        await inert(tab, report);
        await openAll(tab);
        await fits(tab, report);
        if (thorough || ['phone dark', 'desktop light'].includes(label)) await accessibility(tab, report, counts);
      });
    }
  }
  await view(page, { viewport: { width: 320, height: 640 }, colorScheme: 'light', label: 'narrowest' }, async (tab, report) => {
    await openAll(tab);
    await fits(tab, report);
    if (thorough) await accessibility(tab, report, counts);
  });
  await view(page, { viewport: VIEWPORTS.desktop, colorScheme: 'light', label: 'keyboard' }, async (tab, report) => {
    await structure(tab, report, ENTRIES.includes(page.name) ? { tables: 2, drawings: 0 } : { tables: 4, drawings: 2 });
    await keyboard(tab, report, counts);
  });
  await view(page, { viewport: { width: 794, height: 1123 }, colorScheme: 'dark', label: 'print' }, async (tab, report) => {
    await print(tab, report, counts, join(order.out, `${page.name}.pdf`));
  });
  if (page.name === 'hostile' || page.name === 'forged') {
    // With the page's policy out of force, so that it is escaping alone that keeps text text.
    const options = { viewport: VIEWPORTS.desktop, colorScheme: 'light', bypassCSP: true, label: 'without its policy' };
    await view(page, options, async (tab, report) => {
      await openAll(tab);
      await hostile(tab, report, counts, order.hostile);
    });
  }
}

// The policy by itself: a page with a script, an event handler and a picture put into it runs and loads none of them.
const doctored = { name: 'doctored', path: join(order.out, 'doctored.html') };
const html = readFileSync(order.pages[0].path, 'utf8');
const evil = '<script>window.p1Ran=7</script><img src="x.png" onerror="window.p1Ran=8"><style>h1{position:fixed}</style><main>';
writeFileSync(doctored.path, html.replace('<main>', evil));
{
  const context = await browser.newContext();
  const tab = await context.newPage();
  const refused = [];
  tab.on('console', (message) => refused.push(message.text()));
  await tab.goto(pathToFileURL(doctored.path).href);
  if (!html.includes('<main>')) problems.push('doctored: nothing was put in');
  if ((await tab.evaluate(() => window.p1Ran)) !== undefined) problems.push('doctored: a script ran');
  if ((await tab.evaluate(() => getComputedStyle(document.querySelector('h1')).position)) === 'fixed') {
    problems.push('doctored: a foreign style applied');
  }
  if (!refused.some((text) => text.includes('Content Security Policy'))) problems.push('doctored: the policy refused nothing');
  await context.close();
}

if (order.picture) {
  const page = order.pages.find((page) => page.name === 'resumed');
  const options = { viewport: { width: 1280, height: 900 }, colorScheme: 'light', deviceScaleFactor: 1.05, label: 'picture' };
  await view(page, options, async (tab) => {
    // From the verdict to the end of the second drawing.
    const last = await tab.locator('#execution-2').boundingBox();
    const clip = { x: 0, y: 0, width: 1280, height: Math.ceil(last.y + last.height - 4) };
    await tab.screenshot({ path: order.picture, fullPage: true, clip });
  });
}

await browser.close();
for (const problem of problems) console.log(problem);
console.log(JSON.stringify({ ...counts, problems: problems.length }));
process.exitCode = problems.length === 0 ? 0 : 1;
