// Works the page as a reader would and says what came of it; run by the tests only.
(async function () {
  "use strict";
  const said = {};
  const section = document.getElementById("layout-0");
  const axis = section.querySelector(".axis"), plane = axis.querySelector(".plane"), slider = section.querySelector("input[type=range]");
  const dark = () => section.querySelectorAll("[data-host].dark").length;
  const key = (k) => plane.dispatchEvent(new KeyboardEvent("keydown", {key: k, bubbles: true, cancelable: true}));
  const to = (t) => { slider.value = t; slider.dispatchEvent(new Event("input", {bubbles: true})); };

  said.canvases = Array.from(document.querySelectorAll("canvas")).map((c) => {
    const data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    let n = 0;
    for (let i = 3; i < data.length; i += 4) { if (data[i]) { n++; } }
    return n;
  });
  said.map = [10, 40, 100].map((t) => { to(t); return dark(); });
  said.readout = section.querySelector(".readout").textContent;
  to(40);
  key("ArrowRight");
  said.moved = Number(slider.value);
  said.racks = section.querySelector(".mapped").textContent;
  const span = () => { const v = axis.dataset.view.split(" "); return v[1] - v[0]; };
  said.spans = [span()];
  ["+", "+", "-", "0"].forEach((k) => { key(k); said.spans.push(span()); });
  axis.querySelector("[data-do=in]").click(); said.spans.push(span());
  axis.querySelector("[data-do=reset]").click();
  const box = axis.querySelector(".track").getBoundingClientRect();
  const point = (type, part) => plane.dispatchEvent(new PointerEvent(type, {clientX: box.left + part * box.width, bubbles: true, button: 0, pointerType: "mouse"}));
  point("pointermove", 0.5);
  said.hover = Number(slider.value);
  point("pointerdown", 0.25); point("pointermove", 0.5); point("pointerup", 0.5);
  said.spans.push(span());
  said.width = [document.documentElement.scrollWidth, innerWidth];
  said.wide = Array.from(document.querySelectorAll("body *")).filter((e) => e.getBoundingClientRect().right > innerWidth && !e.closest(".scroll, .track")).map((e) => e.outerHTML.slice(0, 120)).slice(0, 6);
  key("0");
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  said.open = [document.documentElement.scrollWidth, innerWidth];
  const run = async (where) => (await axe.run(where)).violations.map((v) => v.id + " " + v.impact + ": " + v.nodes.slice(0, 4).map((n) => n.html.slice(0, 160) + " " + (n.failureSummary || "").replace(/\s+/g, " ").slice(0, 200)).join(" | "));
  said.axe = await run(document);
  const bad = document.createElement("div");
  bad.innerHTML = "<button></button>";
  document.body.append(bad);
  said.twin = (await run(bad)).length;
  said.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  parent.postMessage(JSON.stringify(said), "*");
})().catch((e) => parent.postMessage(JSON.stringify({error: String(e && e.stack)}), "*"));
