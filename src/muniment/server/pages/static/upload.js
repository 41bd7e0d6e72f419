// <m-upload>: files and folders in pieces, three at once, each piece with its digest; a cut goes on where it was.
// It speaks the server's own protocol of uploads, so a program can finish what a browser began.

const PIECE = 8 << 20;
const SMALL = 256 << 10;
const BATCH = { files: 400, bytes: 8 << 20 };
const AT_ONCE = 3;
const PAUSES = [1, 2, 5, 10, 20, 30];

const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const encoded = (path) => path.split("/").map(encodeURIComponent).join("/");

async function sha256(buffer) {
  if (!globalThis.crypto?.subtle) return undefined;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", buffer));
}
const hex = (bytes) => Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
const field = (bytes) => `sha-256=:${btoa(String.fromCharCode(...bytes))}:`;

class Refused extends Error {}
class SignedOut extends Error {}

class Upload extends HTMLElement {
  connectedCallback() {
    this.waiting = [];
    this.all = 0; this.done = 0; this.total = 0; this.bytes = 0; this.working = 0; this.failed = 0;
    this.drop = this.querySelector("[data-drop]");
    this.status = this.querySelector("[data-status]");
    this.bar = this.querySelector("[data-progress]");
    this.problems = this.querySelector("[data-problems]");
    this.goon = this.querySelector("[data-goon]");
    this.signlink = this.querySelector("[data-signlink]");
    this.drop.hidden = false;
    for (const input of this.querySelectorAll("input[type=file]")) {
      const given = () => {
        this.take(Array.from(input.files, (file) => ({ file, path: file.webkitRelativePath || file.name })));
        input.value = "";
      };
      input.addEventListener("change", given);
      given(); // somebody may have chosen files while this script was still on its way
    }
    this.drop.addEventListener("dragover", (event) => { event.preventDefault(); this.drop.classList.add("over"); });
    this.drop.addEventListener("dragleave", () => this.drop.classList.remove("over"));
    this.drop.addEventListener("drop", async (event) => {
      event.preventDefault();
      this.drop.classList.remove("over");
      const entries = Array.from(event.dataTransfer.items, (item) => item.webkitGetAsEntry?.()).filter(Boolean);
      const found = [];
      for (const entry of entries) await this.walk(entry, "", found);
      this.take(found);
    });
    this.goon.addEventListener("click", () => { this.goon.hidden = true; this.signlink.hidden = true; this.halted = false; this.start(); });
    addEventListener("beforeunload", (event) => { if (this.working) event.preventDefault(); });
  }

  async walk(entry, above, found) {
    const path = above + entry.name;
    if (entry.isFile) {
      found.push({ file: await new Promise((done, failed) => entry.file(done, failed)), path });
      return;
    }
    const reader = entry.createReader();
    for (;;) { // a reader gives a hundred at a time
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return;
      for (const each of some) await this.walk(each, `${path}/`, found);
    }
  }

  take(files) {
    if (!files.length) return;
    let batch = [];
    let size = 0;
    const close = () => { if (batch.length) this.waiting.push({ small: batch }); batch = []; size = 0; };
    for (const each of files) {
      this.all += 1;
      this.total += each.file.size;
      if (each.file.size > SMALL) { this.waiting.push({ large: each }); continue; }
      if (batch.length === BATCH.files || size + each.file.size > BATCH.bytes) close();
      batch.push(each);
      size += each.file.size;
    }
    close();
    this.start();
  }

  start() {
    while (this.working < AT_ONCE && this.waiting.length && !this.halted) this.work(this.waiting.shift());
    this.show();
  }

  async work(item) {
    this.working += 1;
    try {
      await (item.large ? this.send(item.large) : this.sendMany(item.small));
    } catch (error) {
      if (error instanceof SignedOut) {
        this.waiting.unshift(item);
        this.halted = true;
        this.goon.hidden = false;
        this.signlink.hidden = false;
        this.status.textContent = this.dataset.signin;
      } else if (item.small && item.small.length > 1) {
        // One of many was refused, and with it all: each by itself says which.
        this.waiting.push(...item.small.map((each) => ({ small: [each] })));
      } else {
        this.refuse(item.large ?? item.small[0], error);
      }
    }
    this.working -= 1;
    this.start();
    if (!this.working && !this.waiting.length && !this.halted) this.finish();
  }

  refuse(item, error) {
    this.failed += 1;
    if (!this.problems.childElementCount) this.problems.before(Object.assign(document.createElement("p"), { textContent: this.dataset.refused }));
    const line = document.createElement("li");
    const name = document.createElement("bdi");
    name.dir = "ltr";
    name.textContent = item.path;
    line.append(name, `: ${error.message}`);
    this.problems.append(line);
  }

  finish() {
    this.status.textContent = this.dataset.whole;
    // The page says what is here now; what was refused stays to be read.
    if (!this.failed) location.reload();
  }

  show() {
    if (!this.all || this.halted) return;
    const { lang } = document.documentElement;
    const size = (value) => new Intl.NumberFormat(lang, { style: "unit", unit: "megabyte", maximumFractionDigits: 1 }).format(value / 1e6);
    this.bar.hidden = false;
    this.bar.max = Math.max(this.total, 1);
    this.bar.value = Math.min(this.bytes, this.total);
    if (this.working || this.waiting.length) {
      this.status.textContent = this.dataset.sending.replace("{done}", this.done).replace("{all}", this.all).replace("{bytes}", size(this.bytes)).replace("{total}", size(this.total));
    }
  }

  // One request, tried again while the network or the server is away.
  async ask(method, path, options = {}) {
    for (let attempt = 0; ; attempt += 1) {
      let answer;
      try {
        answer = await fetch(this.dataset.base + path, { method, credentials: "same-origin", ...options });
      } catch {
        this.status.textContent = this.dataset.again;
        await wait(PAUSES[Math.min(attempt, PAUSES.length - 1)]);
        if (options.once) return undefined;
        continue;
      }
      if (answer.ok) return answer;
      if (answer.status === 401) throw new SignedOut();
      if ([408, 429, 502, 503, 504].includes(answer.status)) {
        await wait(Number(answer.headers.get("Retry-After")) || PAUSES[Math.min(attempt, PAUSES.length - 1)]);
        if (options.once) return undefined;
        continue;
      }
      const problem = await answer.json().catch(() => ({}));
      const error = new Refused(problem.detail ?? `${answer.status}`);
      error.type = problem.type;
      throw error;
    }
  }

  async sendMany(items) {
    const listed = [];
    const bodies = [];
    for (const { file, path } of items) {
      const buffer = await file.arrayBuffer();
      const digest = await sha256(buffer);
      listed.push({ path, size: buffer.byteLength, digests: digest ? { sha256: hex(digest) } : {}, modified: new Date(file.lastModified).toISOString() });
      bodies.push(buffer);
    }
    const body = () => new Blob([`${JSON.stringify(listed)}\n`, ...bodies]);
    const headers = { "Content-Type": "application/vnd.muniment.files" };
    try {
      await this.ask("POST", "/files?again=true", { body: body(), headers });
    } catch (error) {
      if (!(error instanceof Refused) || items.length > 1 || !/exists|taken/.test(error.type ?? "")) throw error;
      listed[0].replace = true;
      await this.ask("POST", "/files", { body: body(), headers });
    }
    this.done += items.length;
    this.bytes += items.reduce((sum, { file }) => sum + file.size, 0);
    this.show();
  }

  async send({ file, path }) {
    const key = `muniment ${this.dataset.key} ${path} ${file.size} ${file.lastModified}`;
    let upload = localStorage.getItem(key);
    let offset = upload ? await this.offset(upload) : undefined;
    if (offset === undefined) {
      const given = { path, size: file.size, modified: new Date(file.lastModified).toISOString() };
      const begin = (more) => this.ask("POST", "/uploads", { body: JSON.stringify({ ...given, ...more }), headers: { "Content-Type": "application/json" } });
      let begun;
      try {
        begun = await begin({});
      } catch (error) {
        if (!(error instanceof Refused) || !/exists|taken/.test(error.type ?? "")) throw error;
        begun = await begin({ replace: true });
      }
      upload = (await begun.json()).upload;
      offset = 0;
      localStorage.setItem(key, upload);
    }
    this.bytes += offset;
    while (offset < file.size) {
      const piece = await file.slice(offset, offset + PIECE).arrayBuffer();
      const digest = await sha256(piece);
      const headers = { "Upload-Offset": String(offset), "Content-Type": "application/octet-stream", ...(digest ? { "Content-Digest": field(digest) } : {}) };
      const answer = await this.ask("PATCH", `/uploads/${upload}`, { body: piece, headers, once: true }).catch((error) => {
        if (error instanceof SignedOut) throw error;
        return undefined; // the offset says how far it came
      });
      const now = answer ? Number(answer.headers.get("Upload-Offset")) : await this.offset(upload);
      if (now === undefined) throw new Refused("the server no longer knows this upload");
      this.bytes += now - offset;
      offset = now;
      this.show();
    }
    await this.ask("POST", `/uploads/${upload}`, { body: "{}", headers: { "Content-Type": "application/json" } });
    localStorage.removeItem(key);
    this.done += 1;
    this.show();
  }

  async offset(upload) {
    try {
      const answer = await this.ask("HEAD", `/uploads/${upload}`);
      return Number(answer.headers.get("Upload-Offset"));
    } catch (error) {
      if (error instanceof SignedOut) throw error;
      return undefined;
    }
  }
}

customElements.define("m-upload", Upload);
