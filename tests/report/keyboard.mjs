// The page by keyboard alone.

/** Tab reaches everything that can be acted on, in order, and where it is can be seen. */
export async function keyboard(tab, report, counts) {
  const expected = await tab.evaluate(() => {
    const stops = [...document.querySelectorAll('a[href], summary, [tabindex="0"]')].filter((element) => element.checkVisibility());
    stops.forEach((element, place) => element.setAttribute('data-stop', place));
    return stops.length;
  });
  await tab.keyboard.press('Tab');
  const skips = await tab.evaluate(() => {
    const link = document.activeElement;
    return link.className === 'skip' && link.getBoundingClientRect().top >= 0;
  });
  if (!skips) report('the first stop is not a skip link that can be seen');
  for (let place = 0; place < expected; place += 1) {
    const stop = await tab.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      return {
        place: element.getAttribute('data-stop'),
        what: `<${element.tagName.toLowerCase()}> ${element.textContent.trim().slice(0, 60)}`,
        outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
        shown: box.bottom > 0 && box.top < innerHeight && box.width > 0,
      };
    });
    if (stop.place !== String(place)) return report(`Tab reaches ${stop.what} (${stop.place}) where stop ${place} belongs`);
    if (!stop.outlined) report(`the focus cannot be seen on ${stop.what}`);
    if (!stop.shown) report(`the focus is out of sight on ${stop.what}`);
    counts.focus_stops += 1;
    await tab.keyboard.press('Tab');
  }
  await tab.locator('a.skip').focus();
  await tab.keyboard.press('Enter');
  if ((await tab.evaluate(() => document.activeElement.id)) !== 'verdict') report('the skip link does not lead to the verdict');
  const summary = await tab.locator('details:not([open]) > summary').first().elementHandle();
  await summary.focus();
  await tab.keyboard.press('Enter');
  if (!(await summary.evaluate((element) => element.parentElement.open))) report('Enter does not open a disclosure');
}
