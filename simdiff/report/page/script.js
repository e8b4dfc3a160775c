"use strict";
const number = text => {
  const found = text.trim().replace(/\(.*?\)/, "").replace("%", "").replace("\u2212", "-");
  if (/^-?inf$/.test(found)) return found[0] === "-" ? -Infinity : Infinity;
  return found !== "" && !isNaN(found) ? Number(found) : null;
};
const compare = (a, b) => {
  const [x, y] = [number(a), number(b)];
  if (x !== null && y !== null) return x - y || 0;
  if (x !== null || y !== null) return x !== null ? -1 : 1;
  return a.localeCompare(b);
};
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0], rows = body ? [...body.rows] : [], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const cells = rows.map(row => row.cells[column]).filter(cell => cell && cell.textContent.trim());
    if (cells.length && cells.every(cell => number(cell.textContent) !== null)) {
      for (const cell of [head, ...cells]) cell.classList.add("n");
    }
    if (rows.length < 2) return;
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = row => row.cells[column].textContent.trim();
      const empty = row => key(row) === "";
      rows.sort((a, b) => empty(a) - empty(b) || (down ? -1 : 1) * compare(key(a), key(b)));
      body.append(...rows);
    });
  });
  if (rows.length < 9) continue;
  table.parentElement.classList.add("tall");
  const box = document.createElement("label"), input = document.createElement("input"), told = document.createElement("span");
  box.className = "filter";
  input.type = "search";
  input.placeholder = "filter rows: words, all of which a row has";
  input.setAttribute("aria-label", "filter rows");
  box.append(input, told);
  table.parentElement.before(box);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const cells = [...row.cells].map(cell => cell.textContent.trim().toLowerCase());
      row.hidden = !words.every(word => cells.some(cell => cell === word || (isNaN(word) && cell.startsWith(word))));
      shown += !row.hidden;
    }
    told.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
}
for (const when of ["beforeprint", "afterprint"]) {
  addEventListener(when, () => {
    for (const part of document.querySelectorAll("details")) {
      if (when === "beforeprint") { part.dataset.was = part.open; part.open = true; }
      else part.open = part.dataset.was === "true";
    }
  });
}
