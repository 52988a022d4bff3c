// Lists that are told anew and again: what stays is left where it is, with the keyboard's focus,
// what is selected, and the place that is read.

/**
 * Has an element show these children and no others. One that it shows already, known by its
 * `data-key` or else by its place, is changed into the new one; so listeners may depend on nothing
 * but what its key tells.
 *
 * @param {Element} parent
 * @param {Element[]} wanted
 * @returns {Element[]} those that are shown, one for each that is wanted
 */
export function settle(parent, wanted) {
  const known = new Map(keyed([...parent.children]));
  const shown = keyed(wanted).map(([key, child]) => adopt(known.get(key), child));
  const kept = new Set(shown);
  for (const child of [...parent.childNodes]) if (!kept.has(child)) child.remove();
  shown.forEach((child, place) => {
    const there = parent.children[place];
    if (there !== child) parent.insertBefore(child, there ?? null);
  });
  return shown;
}

/** Gives an element or a text node this text; the same text is not written again, and stays selected. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Pairs elements with their keys; of those with the same, the second has another, and so on. */
function keyed(elements) {
  const seen = new Map();
  return elements.map((element) => {
    const key = element.dataset.key ?? "";
    const times = seen.get(key) ?? 0;
    seen.set(key, times + 1);
    return [`${key}\n${times}`, element];
  });
}

/** Returns the old element made like the new one; the new one, where that cannot be. */
function adopt(old, fresh) {
  if (!old || old.tagName !== fresh.tagName) return fresh;
  if (old.isEqualNode(fresh)) return old;
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (name === "style") old.style.cssText = fresh.style.cssText; // the policy bars the attribute
    else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  adoptChildren(old, fresh);
  return old;
}

function adoptChildren(old, fresh) {
  const [known, wanted] = [[...old.childNodes], [...fresh.childNodes]];
  wanted.forEach((child, place) => {
    const there = known[place];
    const isText = child.nodeType === Node.TEXT_NODE;
    if (!there) old.append(child);
    else if (isText && there.nodeType === Node.TEXT_NODE) write(there, child.data);
    else if (isText || there.nodeType === Node.TEXT_NODE) there.replaceWith(child);
    else if (adopt(there, child) !== there) there.replaceWith(child);
  });
  known.slice(wanted.length).forEach((child) => child.remove());
}
