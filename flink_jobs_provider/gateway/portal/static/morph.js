// Changes what is on a page into what should be there, node by node: what stays the same stays in
// place, with the focus, the selection, what is scrolled and what is unfolded. Replacing all of it
// would take these away each second, and have screen readers read it all again.

// What names a node: sections by their headings, rows and facts by what they are about; everything
// else is told apart by its place.
function keyOf(node) {
  if (!isElement(node)) return "";
  const header = node.querySelector(":scope > th[scope=row], :scope > dt");
  const about = header && (header.querySelector("[id]")?.id || header.textContent.trim());
  return node.id || node.getAttribute("aria-labelledby") || about || "";
}

function isElement(node) {
  return node.nodeType === Node.ELEMENT_NODE;
}

function alike(now, wanted) {
  return now.nodeType === wanted.nodeType && now.nodeName === wanted.nodeName && keyOf(now) === keyOf(wanted);
}

function takeOver(now, wanted) {
  if (!isElement(now)) {
    if (now.data !== wanted.data) now.data = wanted.data;
    return;
  }
  for (const { name } of [...now.attributes]) {
    // Whoever looks has unfolded it.
    if (!wanted.hasAttribute(name) && name !== "open") now.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  morph(now, wanted);
}

export function morph(now, wanted) {
  const next = [...wanted.childNodes];
  let at = now.firstChild;
  next.forEach((node, place) => {
    // What is gone is taken out first, so that what follows it need not move: an element that is
    // moved loses the focus, and the selection in it. Blanks between elements may go.
    while (at && !alike(at, node) && !(isElement(at) && next.slice(place).some((later) => alike(at, later)))) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
    if (at && alike(at, node)) {
      const same = at;
      at = at.nextSibling;
      takeOver(same, node);
      return;
    }
    let same = at;
    while (same && !alike(same, node)) same = same.nextSibling;
    now.insertBefore(same ?? node, at);
    if (same) takeOver(same, node);
  });
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}
