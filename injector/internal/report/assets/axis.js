"use strict";
// What one layout's time axis knows: the clock, and what was the case at a moment.
// Nothing here touches the page but color().

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

// incident turns wall seconds into seconds of the incident, as the clock ran.
function incident(pace, wall) {
  for (const s of pace || []) {
    if (wall <= s.to_wall_s && s.to_wall_s > s.from_wall_s) {
      const part = Math.max(0, wall - s.from_wall_s) / (s.to_wall_s - s.from_wall_s);
      return s.from_incident_s + part * (s.to_incident_s - s.from_incident_s);
    }
  }
  return pace && pace.length ? pace[pace.length - 1].to_incident_s : null;
}

// moment writes both clocks, and the incident's own date where it is known.
function moment(chart, wall) {
  const at = incident(chart.pace, wall);
  let text = "wall " + wall.toFixed(1) + " s";
  if (at === null) { return text; }
  text += " · incident ~T+" + Math.floor(at / 60) + "m";
  if (chart.start) {
    const d = new Date((chart.start + at) * 1000);
    const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const two = (n) => String(n).padStart(2, "0");
    text += " (" + d.getUTCDate() + " " + months[d.getUTCMonth()] + " " + two(d.getUTCHours()) + ":" + two(d.getUTCMinutes()) + ")";
  }
  return text;
}

const within = (spans, t) => spans.some((d) => d[0] <= t && t < d[1]);

// state is a host's state at a moment: the word and the class of its cell.
function state(host, t) {
  if (within(host.dark, t)) { return ["no power", "dark"]; }
  const hit = host.hit.find((f) => f.from <= t && t < f.to);
  if (hit) { return [hit.kind, "hit"]; }
  return [host.base, host.base === "on" ? "on" : "missing"];
}

function last(marks, t) {
  const past = marks.filter((m) => m.at <= t);
  return past[past.length - 1];
}

// facts are what the read-out says about a moment, as pairs of a name and a value.
function facts(chart, t) {
  const dark = chart.probes.filter((p) => within(p.dark, t)).map((p) => p.name);
  const off = chart.hosts.filter((h) => within(h.dark, t)).map((h) => h.name);
  const stage = last(chart.stages, t), step = last(chart.steps, t);
  const some = (names, all) => names.length ? names.length + " of " + all + ": " + names.join(", ") : "none of " + all;
  const out = [["", moment(chart, t)]];
  out.push(["stage", stage ? stage.label + " " + stage.name : "before the first"]);
  if (step) { out.push(["last step", step.label + " " + step.name]); }
  out.push(["dark services", some(dark, chart.probes.length)]);
  out.push(["hosts without power", some(off, chart.hosts.length)]);
  for (const d of chart.ledgers) {
    const i = Math.floor(t);
    if (i < 0 || i >= d.sent.length) { continue; }
    out.push(["ledger " + d.name, d.sent[i] + " writes/s, " + d.acknowledged[i] + " acknowledged"]);
  }
  for (const d of chart.loads) {
    const i = d.x.findIndex((x, n) => x <= t && (n + 1 === d.x.length || t < d.x[n + 1]));
    if (i < 0) { continue; }
    out.push([d.name, d.requests[i] + " requests/s, " + d.answered[i] + " answered" + (d.moved.length ? ", " + d.moved[i] + " people at the rival" : "")]);
  }
  return out;
}

// plots draws the curves of a layout into place. The view is [from, to] of the
// wall clock; left and right are the pixels that keep the curves under the lanes.
function plots(chart, place, view, left, right) {
  const line = (label, shade, more) => Object.assign({label, stroke: color(shade), width: 2, points: {show: false}, spanGaps: true}, more);
  const axis = {stroke: color("soft"), grid: {stroke: color("line"), width: 1}, ticks: {stroke: color("line"), width: 1}, font: "12px system-ui, sans-serif"};
  const made = [];
  const draw = (title, height, scales, axes, series, data, shaded) => {
    const head = document.createElement("p");
    head.className = "plot-title";
    title.forEach((t) => {
      const s = document.createElement("span"), k = document.createElement("i");
      k.className = "line " + t[1]; s.append(k, " " + t[0]); head.append(s, " ");
    });
    place.append(head);
    const sided = axes.length > 1;
    made.push(new uPlot({
      width: place.clientWidth, height, padding: [8, sided ? 0 : right, 0, 0], legend: {show: false}, cursor: {show: false},
      scales: Object.assign({x: {time: false, range: () => [view[0], view[1]]}}, scales),
      axes: [Object.assign({}, axis, {values: (u, vs) => vs.map((v) => v + " s")})].concat(axes.map((a) => Object.assign({}, axis, a))),
      series: [{}].concat(series),
      hooks: {drawClear: [(u) => {
        const c = u.ctx, box = u.bbox;
        c.save(); c.beginPath(); c.rect(box.left, box.top, box.width, box.height); c.clip();
        c.fillStyle = color("surge");
        shaded.forEach((d) => { const x = u.valToPos(d[0], "x", true); c.fillRect(x, box.top, u.valToPos(d[1], "x", true) - x, box.height); });
        c.restore();
      }]}
    }, data, place));
  };
  if (chart.x.length) {
    draw([["requests answered, mean of all probes", "one"]], 120, {y: {range: [0, 104]}},
      [{size: left, splits: [0, 50, 100], values: (u, vs) => vs.map((v) => v + " %")}],
      [line("answered", "one", {paths: uPlot.paths.stepped({align: 1}), fill: color("wash")})], [chart.x, chart.mean], []);
  }
  const books = chart.ledgers.filter((d) => d.sent.length);
  if (books.length) {
    // Three strokes and two dashes tell more ledgers apart than anybody wants.
    const looks = [["one", {}], ["two", {dash: [6, 3]}], ["three", {dash: [2, 3]}]];
    const longest = Math.max(...books.map((d) => d.sent.length));
    const seconds = Array.from({length: longest}, (_, i) => i);
    const filled = (d) => seconds.map((i) => i < d.acknowledged.length ? d.acknowledged[i] : null);
    draw(books.map((d, i) => [(i ? "" : "writes acknowledged a second: ") + d.name, looks[i % 3][0]]), 120,
      {y: {range: (u, lo, hi) => [0, Math.max(1, hi) * 1.08]}}, [{size: left}],
      books.map((d, i) => line(d.name, looks[i % 3][0], Object.assign({paths: uPlot.paths.stepped({align: 1})}, looks[i % 3][1]))),
      [seconds].concat(books.map(filled)), []);
  }
  chart.loads.filter((d) => d.x.length).forEach((d) => {
    const title = [[d.name + ": requests a second", "two"], ["answered", "one"]];
    const axes = [{size: left, splits: undefined}];
    const series = [line("requests", "two", {dash: [6, 3]}), line("answered", "one", {fill: color("wash")})];
    const data = [d.x, d.requests, d.answered], scales = {y: {range: (u, lo, hi) => [0, Math.max(1, hi) * 1.08]}};
    if (d.moved.length) {
      title.push(["people at the rival (right)", "three"]);
      axes.push({side: 1, scale: "people", size: right, grid: {show: false}});
      series.push(line("people", "three", {scale: "people", dash: [2, 3]}));
      data.push(d.moved);
      scales.people = {range: (u, lo, hi) => [0, Math.max(1, hi) * 1.08]};
    }
    if (d.surges.length) { title.push(["surge of people", "surge"]); }
    draw(title, 150, scales, axes, series, data, d.surges);
  });
  return made;
}
