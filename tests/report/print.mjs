// The page on paper.

/** What disclosures hide on the screen is printed, and no value is cut. */
export async function print(tab, report, counts, path) {
  await tab.emulateMedia({ media: 'print', colorScheme: 'dark' });
  const found = await tab.evaluate(() => {
    const wrong = [];
    let shown = 0;
    for (const details of document.querySelectorAll('details')) {
      const content = [...details.children].filter((child) => child.tagName !== 'SUMMARY');
      const seen = content.every((child) => child.checkVisibility() && child.getBoundingClientRect().height > 0);
      if (seen && content.length > 0) shown += 1;
      else wrong.push(`not printed: ${details.textContent.trim().slice(0, 80)}`);
    }
    if (getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)') wrong.push('dark paper');
    for (const value of document.querySelectorAll('code, pre, dd, td')) {
      if (value.checkVisibility() && getComputedStyle(value).display !== 'inline' && value.scrollWidth > value.clientWidth + 1) {
        wrong.push(`cut: ${value.textContent.slice(0, 80)}`);
      }
    }
    return { wrong: wrong.slice(0, 5), shown };
  });
  counts.details_in_print += found.shown;
  for (const problem of found.wrong) report(problem);
  const pdf = await tab.pdf({ path, preferCSSPageSize: true, printBackground: false });
  if (pdf.length < 10_000) report(`the printed page has ${pdf.length} bytes`);
}
