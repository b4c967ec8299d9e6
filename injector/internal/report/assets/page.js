// Draws one availability curve for each layout. The lanes under it are plain
// HTML on the same time axis; this script only tells them where the axis begins.
(function () {
  "use strict";
  var charts = JSON.parse(document.getElementById("charts").textContent) || [];
  var drawn = [];

  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  }

  // incident turns wall seconds into minutes of the incident, as the clock ran.
  function incident(pace, wall) {
    for (var i = 0; i < pace.length; i++) {
      var s = pace[i];
      if (wall <= s.to_wall_s && s.to_wall_s > s.from_wall_s) {
        var part = Math.max(0, wall - s.from_wall_s) / (s.to_wall_s - s.from_wall_s);
        return Math.floor((s.from_incident_s + part * (s.to_incident_s - s.from_incident_s)) / 60);
      }
    }
    return pace.length ? Math.floor(pace[pace.length - 1].to_incident_s / 60) : null;
  }

  function moment(chart, wall) {
    var at = incident(chart.pace || [], wall);
    return wall.toFixed(1) + " s" + (at === null ? "" : "  ~T+" + at + "m");
  }

  // marks are the outages behind the curve, and stages and steps across it.
  function marks(chart) {
    return {hooks: {
      drawClear: function (u) {
        var c = u.ctx, box = u.bbox;
        c.save();
        c.globalAlpha = 0.13;
        c.fillStyle = color("own");
        chart.dark.forEach(function (d) {
          var from = u.valToPos(d[0], "x", true), to = u.valToPos(d[1], "x", true);
          c.fillRect(from, box.top, to - from, box.height);
        });
        c.restore();
      },
      draw: function (u) {
        var c = u.ctx, box = u.bbox, px = devicePixelRatio;
        function rule(at, label, shade, dash, low) {
          var x = Math.round(u.valToPos(at, "x", true));
          c.strokeStyle = c.fillStyle = shade;
          c.setLineDash(dash);
          c.beginPath(); c.moveTo(x, box.top); c.lineTo(x, box.top + box.height); c.stroke();
          c.setLineDash([]);
          var right = x + c.measureText(label).width + 6 * px > box.left + box.width;
          c.textAlign = right ? "right" : "left";
          c.fillText(label, x + (right ? -4 : 4) * px, box.top + (low ? box.height * low : 12 * px));
        }
        c.save();
        c.lineWidth = px;
        c.font = "600 " + 12 * px + "px system-ui, sans-serif";
        chart.stages.forEach(function (s) { rule(s.at, s.label, color("ink"), [], 0); });
        chart.steps.forEach(function (s, i) { rule(s.at, s.label, color("step"), [4 * px, 3 * px], 0.3 + 0.15 * (i % 4)); });
        c.restore();
      }
    }};
  }

  function draw(chart, i) {
    var figure = document.getElementById("plot-" + i);
    if (!figure) { return; }
    var place = figure.querySelector(".curve");
    var shades = ["one", "two", "three"], dashes = [[], [7, 4], [2, 3]];
    var axis = {stroke: color("soft"), grid: {stroke: color("line"), width: 1}, ticks: {stroke: color("line"), width: 1}};
    var series = [{label: "time", value: function (u, v, n, at) { return at === null ? "point at the curve" : moment(chart, v); }}];
    chart.probes.forEach(function (p, n) {
      series.push({label: p.name, stroke: color(shades[n % 3]), dash: dashes[n % 3], width: 2, points: {show: false},
        paths: uPlot.paths.stepped({align: 1}), spanGaps: false,
        value: function (u, v, n, at) { return at === null ? "" : v === null ? "not measured" : v.toFixed(1) + " %"; }});
    });
    var plot = new uPlot({
      width: place.clientWidth, height: 200, padding: [10, 8, 0, 0],
      scales: {x: {time: false, range: chart.axis}, y: {range: [0, 104]}},
      axes: [Object.assign({}, axis, {values: function (u, vs) { return vs.map(function (v) { return v + " s"; }); }}),
        Object.assign({}, axis, {size: 58, splits: [0, 25, 50, 75, 100], values: function (u, vs) { return vs.map(function (v) { return v + " %"; }); }})],
      cursor: {drag: {x: false, y: false}}, series: series, plugins: [marks(chart)]
    }, [chart.x].concat(chart.probes.map(function (p) { return p.y; })), place);
    figure.style.setProperty("--axis", plot.bbox.left / devicePixelRatio + "px");
    figure.style.setProperty("--right", place.clientWidth - (plot.bbox.left + plot.bbox.width) / devicePixelRatio + "px");
    drawn.push(plot);
  }

  function redraw() {
    drawn.forEach(function (p) { p.destroy(); });
    drawn = [];
    charts.forEach(draw);
  }

  var pending;
  addEventListener("resize", function () { clearTimeout(pending); pending = setTimeout(redraw, 100); });
  addEventListener("beforeprint", redraw);
  addEventListener("afterprint", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  redraw();
})();
