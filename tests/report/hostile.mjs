// Text that wants to be more than text.

/** The page has nothing that could run, whatever it was made of. */
export async function inert(tab, report) {
  const found = await tab.evaluate(() => {
    const wrong = [];
    if (window.p1Ran !== undefined) wrong.push(`a script ran: ${window.p1Ran}`);
    const foreign = 'script, iframe, object, embed, img, image, link, base, form, input, button, textarea, video, audio, foreignObject, use, animate, set';
    for (const element of document.querySelectorAll(foreign)) wrong.push(`there is a <${element.tagName.toLowerCase()}>`);
    for (const element of document.querySelectorAll('*')) {
      for (const { name, value } of element.attributes) {
        if (name.startsWith('on') || name === 'style' || name === 'srcdoc' || /^\s*javascript:/i.test(value)) wrong.push(`there is an attribute ${name}`);
        if ((name === 'href' || name === 'xlink:href') && !value.startsWith('#')) wrong.push(`a link leads to ${value.slice(0, 80)}`);
      }
    }
    if (document.querySelectorAll('style').length !== 1) wrong.push('there is not one style sheet');
    const invisible = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/;
    if (invisible.test(document.documentElement.textContent)) wrong.push('there is a character that is not seen');
    return wrong.slice(0, 5);
  });
  for (const problem of found) report(problem);
}

/** Every hostile text stands there as text, with what would not be seen made visible. */
export async function hostile(tab, report, counts, texts) {
  await inert(tab, report);
  const text = await tab.evaluate(() => document.body.textContent);
  for (const wanted of texts) {
    const visible = wanted.replace(/[\u0000-\u001f\u200b\u202e\u2066]/g, (c) => `U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`);
    if (text.includes(visible)) counts.hostile_texts_found += 1;
    else report(`the page does not show ${visible}`);
  }
  // What reacts to the pointer and the keyboard is tried as well.
  await tab.mouse.move(300, 300);
  await tab.keyboard.press('Tab');
  await inert(tab, report);
}
