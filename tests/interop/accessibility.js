// Looks a page over as WCAG 2.2 asks: returns what is wrong, in words; nothing where all is well.
(() => {
  const complaints = [];
  const shown = (element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
    !element.closest(".visually-hidden, .skip");
  const told = (element) =>
    `<${element.localName}${element.id && ` id=${element.id}`}> ${element.textContent.trim().slice(0, 40)}`;

  // 1.4.3: words stand out from what lies behind them
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) =>
    [r, g, b].map((one, i) => a * one + (1 - a) * below[i]);
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const colour = rgba(getComputedStyle(element).backgroundColor);
    return colour[3] === 1 ? colour.slice(0, 3) : over(colour, behind(element.parentElement));
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((one) => {
      const part = one / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const element = words.currentNode.parentElement;
    const isOff = element.closest(":disabled, [aria-hidden=true], script, option");
    if (!words.currentNode.data.trim() || isOff || !shown(element)) continue;
    const back = behind(element);
    const front = over(rgba(getComputedStyle(element).color), back);
    const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) complaints.push(`contrast ${contrast.toFixed(2)}: ${told(element)}`);
  }

  // 2.5.8: what is pressed can be hit
  for (const element of document.querySelectorAll("button, select, summary, nav a, input")) {
    if (!shown(element)) continue;
    const { width, height } = (element.closest("label") ?? element).getBoundingClientRect();
    if (Math.min(width, height) < 24) complaints.push(`${width}x${height}: ${told(element)}`);
  }

  // 1.4.10: nothing is cut off, nothing has to be scrolled sideways
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) complaints.push(`${scrollWidth} px wide in ${clientWidth} px`);

  // 1.3.1, 2.4.1, 3.1.1: parts that can be gone to, in a language that is told
  if (!document.documentElement.lang) complaints.push("no language");
  if (!document.title) complaints.push("no title");
  for (const part of ["main", "h1"]) {
    const count = document.querySelectorAll(part).length;
    if (count !== 1) complaints.push(`${count} of <${part}>`);
  }
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => +one.localName[1]);
  levels.forEach((level, i) => {
    if (level > (levels[i - 1] ?? 0) + 1) complaints.push(`a heading of level ${level} is too deep`);
  });
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  const doubled = ids.filter((id, i) => ids.indexOf(id) !== i);
  if (doubled.length) complaints.push(`more than one ${doubled}`);
  return complaints;
})();
