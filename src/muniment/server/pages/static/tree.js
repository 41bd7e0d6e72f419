// <m-tree>: opens a folder of a listing in its place; what is in it is asked for when it is opened.

const DEEPEST = 4;

class Tree extends HTMLElement {
  connectedCallback() {
    this.equip(this.querySelectorAll("tr[data-folder]"), 0);
  }

  equip(rows, depth) {
    if (depth >= DEEPEST) return; // a link leads on
    for (const row of rows) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "twist";
      button.setAttribute("aria-expanded", "false");
      button.setAttribute("aria-label", this.dataset.open.replace("{name}", row.dataset.folder));
      button.append(this.arrow());
      button.addEventListener("click", () => this.turn(row, button, depth + 1));
      row.querySelector(".opens").prepend(button);
    }
  }

  arrow() {
    const space = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(space, "svg");
    drawing.setAttribute("class", "icon");
    drawing.setAttribute("viewBox", "0 0 16 16");
    drawing.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", "M6 3l5 5-5 5");
    drawing.append(path);
    return drawing;
  }

  turn(row, button, depth) {
    if (button.getAttribute("aria-expanded") === "true") {
      button.setAttribute("aria-expanded", "false");
      this.below(row).forEach((each) => each.remove());
      row.dispatchEvent(new CustomEvent("m-closed", { bubbles: true }));
      return;
    }
    button.setAttribute("aria-expanded", "true");
    const link = row.querySelector("a[data-inside]");
    const request = new XMLHttpRequest();
    request.open("GET", link.href);
    request.setRequestHeader("Accept", "text/html");
    request.responseType = "document";
    const leave = () => { location.href = link.href; };
    request.addEventListener("error", leave);
    request.addEventListener("load", () => {
      const rows = request.responseXML?.querySelectorAll("tbody[data-rows] > tr");
      if (request.status !== 200 || !rows?.length) { leave(); return; }
      if (button.getAttribute("aria-expanded") === "true") this.put(row, rows, request.responseXML.querySelector("a[data-following]"), depth);
    });
    request.send();
  }

  put(row, rows, following, depth) {
    const made = Array.from(rows, (each) => document.adoptNode(each));
    if (following) {
      const more = document.createElement("tr");
      const cell = document.createElement("td");
      cell.colSpan = row.cells.length;
      const link = document.createElement("a");
      link.href = following.href;
      link.textContent = this.dataset.more;
      cell.append(link);
      more.append(cell);
      made.push(more);
    }
    for (const each of made) {
      each.dataset.depth = String(depth);
      each.classList.add(`deep-${depth}`);
    }
    row.after(...made);
    this.equip(made.filter((each) => each.dataset.folder !== undefined), depth);
    row.dispatchEvent(new CustomEvent("m-opened", { bubbles: true, detail: { made, whole: !following } }));
  }

  // The rows that stand below a folder: those after it that are deeper.
  below(row) {
    const depth = Number(row.dataset.depth ?? 0);
    const found = [];
    for (let next = row.nextElementSibling; next && Number(next.dataset.depth ?? 0) > depth; next = next.nextElementSibling) found.push(next);
    return found;
  }
}

customElements.define("m-tree", Tree);
