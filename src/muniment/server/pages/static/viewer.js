// <m-viewer>: shows a large picture part by part (OpenSeadragon), once it is in sight; without it the picture stays.

class Viewer extends HTMLElement {
  connectedCallback() {
    this.seen = new IntersectionObserver((entries) => {
      if (!entries.some((each) => each.isIntersecting)) return;
      this.seen.disconnect();
      this.load();
    });
    this.seen.observe(this);
  }

  disconnectedCallback() {
    this.seen.disconnect();
  }

  load() {
    const { script } = this.dataset;
    // The viewer empties elements by their innerHTML: the empty text gets through, and no other.
    globalThis.trustedTypes?.createPolicy("default", {
      createHTML: (text) => (text === "" ? text : null),
      createScriptURL: (address) => (address === script ? address : null),
    });
    // It would put a style into the page that the policy refuses, unless it finds one: this has the name of a style
    // and is none, so that the policy has nothing to refuse.
    const mark = document.createElementNS("urn:muniment:mark", "style");
    mark.setAttribute("data-openseadragon-mobile-css", "");
    document.head.append(mark);
    const wanted = document.createElement("script");
    wanted.src = script;
    wanted.addEventListener("load", () => this.show());
    document.head.append(wanted);
  }

  show() {
    const { tiles, width, height } = this.dataset;
    const stage = this.querySelector("[data-stage]");
    stage.hidden = false;
    const viewer = globalThis.OpenSeadragon({
      element: stage,
      drawer: "canvas",
      showNavigationControl: false,
      // The server makes each part when it is asked for, in one process.
      imageLoaderLimit: 2,
      visibilityRatio: 0.5,
      maxZoomPixelRatio: 4,
      immediateRender: matchMedia("(prefers-reduced-motion: reduce)").matches,
      tileSources: {
        width: Number(width),
        height: Number(height),
        tileSize: 512,
        minLevel: 8,
        getTileUrl: (level, x, y) => `${tiles}&level=${level}&x=${x}&y=${y}`,
      },
    });
    viewer.addOnceHandler("tile-loaded", () => {
      this.querySelector("img").hidden = true;
      this.querySelector("[data-tools]").hidden = false;
    });
    // What cannot be had part by part is shown as it was before.
    viewer.addOnceHandler("open-failed", () => viewer.destroy());
    const tools = { closer: 1.6, farther: 1 / 1.6 };
    this.addEventListener("click", (event) => {
      const name = event.target.closest("[data-tool]")?.dataset.tool;
      if (name === "all") viewer.viewport.goHome();
      else if (name) viewer.viewport.zoomBy(tools[name]).applyConstraints();
    });
  }
}

customElements.define("m-viewer", Viewer);
