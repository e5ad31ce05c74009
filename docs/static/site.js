// What Furo's markup lacks for people who use a keyboard or a screen reader; axe names each.
addEventListener("DOMContentLoaded", () => {
  const each = (selector, change) => document.querySelectorAll(selector).forEach(change);
  each("p.caption[role=heading]", (caption) => caption.setAttribute("aria-level", "2"));
  each("aside.sidebar-drawer", (aside) => aside.setAttribute("aria-label", "Pages"));
  each("aside.toc-drawer", (aside) => aside.setAttribute("aria-label", "On this page"));
  // What may scroll in itself can be reached by the keyboard.
  each("pre, .table-wrapper, .wide", (area) => area.setAttribute("tabindex", "0"));
  // The cell above a column of row names is no header.
  each("th.head", (header) => {
    if (header.textContent.trim() === "") header.replaceWith(document.createElement("td"));
  });
});
