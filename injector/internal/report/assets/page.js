// Makes each layout's axis, read-out and map of racks follow one cursor.
(function () {
  const charts = JSON.parse(document.getElementById("charts").textContent) || [];
  const layouts = [];
  document.documentElement.classList.add("js-on");

  function make(chart, n) {
    const axis = document.getElementById("axis-" + n);
    if (!axis) { return; }
    const section = axis.closest("section"), plane = axis.querySelector(".plane"), curve = axis.querySelector(".curve");
    const slider = section.querySelector(".now input"), readout = section.querySelector(".readout"), mapped = section.querySelector(".mapped");
    const cells = Array.from(section.querySelectorAll("[data-host]"));
    const cursor = axis.querySelector(".cursor"), drag = axis.querySelector(".drag"), track = axis.querySelector(".track");
    const whole = chart.axis, view = [whole[0], whole[1]];
    let at = Number(slider.value), drawn = [], from = null;

    // edges are where the tracks begin and how wide they are, inside the plane.
    function edges() {
      const p = plane.getBoundingClientRect(), t = track.getBoundingClientRect();
      return {left: t.left - p.left, width: t.width, right: p.right - t.right};
    }
    const place = (t) => { const e = edges(); return e.left + e.width * (t - view[0]) / (view[1] - view[0]); };
    const time = (x) => { const e = edges(); return view[0] + (x - plane.getBoundingClientRect().left - e.left) / e.width * (view[1] - view[0]); };

    function show() {
      const said = facts(chart, at);
      readout.replaceChildren(...said.flatMap((f) => {
        const span = document.createElement("span"), b = document.createElement("b");
        b.textContent = f[0] ? f[0] + ": " : "";
        span.append(b, f[1]);
        return [span, " "];
      }));
      slider.value = at;
      slider.setAttribute("aria-valuetext", said.map((f) => (f[0] ? f[0] + " " : "") + f[1]).join("; "));
      cells.forEach((c) => {
        const s = state(chart.hosts[c.dataset.host], at);
        c.className = "host " + s[1];
        c.querySelector("em").textContent = s[0];
      });
      if (mapped) { mapped.textContent = "at " + moment(chart, at); }
      const inside = at >= view[0] && at <= view[1];
      cursor.style.display = inside ? "block" : "none";
      cursor.style.left = place(at) + "px";
    }
    function move(t) {
      at = Math.min(whole[1], Math.max(whole[0], t));
      show();
    }
    function look(lo, hi) {
      const span = Math.min(Math.max(hi - lo, 0.5), whole[1] - whole[0]);
      lo = Math.min(Math.max(lo, whole[0]), whole[1] - span);
      view[0] = lo; view[1] = lo + span;
      plane.style.setProperty("--zw", 100 * (whole[1] - whole[0]) / span + "%");
      plane.style.setProperty("--zl", -100 * (lo - whole[0]) / span + "%");
      axis.dataset.view = view.map((v) => v.toFixed(1)).join(" ");
      drawn.forEach((u) => u.setScale("x", {min: view[0], max: view[1]}));
      show();
    }
    const span = () => view[1] - view[0];
    const acts = {
      in: () => look(at - span() / 4, at + span() / 4), out: () => look(at - span(), at + span()),
      left: () => look(view[0] - span() / 3, view[1] - span() / 3), right: () => look(view[0] + span() / 3, view[1] + span() / 3),
      reset: () => look(whole[0], whole[1])
    };
    const keys = {"+": acts.in, "=": acts.in, "-": acts.out, "_": acts.out, "0": acts.reset, Home: () => move(view[0]), End: () => move(view[1]),
      ArrowLeft: (e) => step(e, -1), ArrowRight: (e) => step(e, 1)};
    function step(e, sign) {
      move(at + sign * span() / (e.shiftKey ? 20 : 200));
      if (at < view[0] || at > view[1]) { look(at - span() / 2, at + span() / 2); }
    }
    plane.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || !keys[e.key]) { return; }
      e.preventDefault();
      keys[e.key](e);
    });
    axis.querySelectorAll("[data-do]").forEach((b) => b.addEventListener("click", acts[b.dataset.do]));
    slider.addEventListener("input", () => move(Number(slider.value)));

    // Dragging chooses a stretch to look at; a press without a drag only moves the cursor.
    plane.addEventListener("pointerdown", (e) => {
      if (e.button) { return; }
      from = e.clientX;
      move(time(e.clientX));
    });
    plane.addEventListener("pointermove", (e) => {
      move(Math.min(view[1], Math.max(view[0], time(e.clientX))));
      if (from === null || e.pointerType === "touch") { return; }
      const left = Math.min(from, e.clientX) - plane.getBoundingClientRect().left;
      drag.style.cssText = "display:block;left:" + left + "px;width:" + Math.abs(e.clientX - from) + "px";
    });
    addEventListener("pointerup", (e) => {
      if (from !== null && e.pointerType !== "touch" && Math.abs(e.clientX - from) > 8) {
        const a = time(from), b = time(e.clientX);
        look(Math.min(a, b), Math.max(a, b));
      }
      from = null;
      drag.style.display = "none";
    });
    addEventListener("pointercancel", () => { from = null; drag.style.display = "none"; });

    layouts.push(function redraw() {
      drawn.forEach((u) => u.destroy());
      curve.replaceChildren();
      const e = edges();
      drawn = plots(chart, curve, view, e.left, e.right);
      look(view[0], view[1]);
    });
  }

  // Paper has no folds: what is folded is opened for printing, and folded again.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = Array.from(document.querySelectorAll("main details:not([open])"));
    folded.forEach((d) => { d.open = true; });
    redraw();
  });
  addEventListener("afterprint", () => { folded.forEach((d) => { d.open = false; }); redraw(); });

  const copy = document.getElementById("copy");
  copy.addEventListener("click", () => {
    const command = document.getElementById("command");
    getSelection().selectAllChildren(command);
    const done = () => { copy.textContent = "copied"; };
    if (navigator.clipboard) { navigator.clipboard.writeText(command.textContent).then(done, () => { copy.textContent = "selected"; }); }
  });

  function redraw() { layouts.forEach((draw) => draw()); }
  let pending;
  addEventListener("resize", () => { clearTimeout(pending); pending = setTimeout(redraw, 100); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  charts.forEach(make);
  redraw();
})();
