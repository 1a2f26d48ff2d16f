(function () {
  "use strict";
  var COLUMNS = 1000;  // drawn across a chart
  var SINGLE = 120;    // fewer readings than these are shown as dots too
  var SHORTEST = 5;    // readings across a chart at the least

  // Readings of a chart's tracks as typed arrays, unpacked when they are first looked at.
  function bytes(text) {
    var raw = atob(text), made = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) made[i] = raw.charCodeAt(i);
    return new DataView(made.buffer);
  }

  function unpack(chart) {
    var figure = chart.closest("figure"), source = figure && figure.querySelector("script.samples");
    if (!source) return [];
    return JSON.parse(source.textContent).map(function (track) {
      var times = bytes(track.t), watts = bytes(track.w), count = watts.byteLength / 2;
      var t = new Float64Array(count), w = new Float64Array(count);
      for (var i = 0; i < count; i++) {
        t[i] = track.start + times.getUint32(4 * i, true) * track.step_s;
        w[i] = watts.getUint16(2 * i, true) * track.step_w;
      }
      return { style: track.style, t: t, w: w };
    });
  }

  // First position whose moment is not before t.
  function position(times, t) {
    var low = 0, high = times.length;
    while (low < high) {
      var middle = (low + high) >> 1;
      if (times[middle] < t) low = middle + 1; else high = middle;
    }
    return low;
  }

  // The readings to draw: the least and the greatest of each narrow column.
  function visible(track, from, to) {
    var kept = [], width = Math.max(1, Math.ceil((to - from) / COLUMNS));
    for (var start = from; start < to; start += width) {
      var least = start, most = start;
      for (var i = start; i < Math.min(start + width, to); i++) {
        if (track.w[i] < track.w[least]) least = i;
        if (track.w[i] > track.w[most]) most = i;
      }
      kept.push(Math.min(least, most));
      if (least !== most) kept.push(Math.max(least, most));
    }
    return kept;
  }

  function start(chart) {
    var view = chart.querySelector("svg.zoom"), axis = chart.querySelector("g.times");
    if (!view || !axis) return;
    var box = view.getAttribute("viewBox").split(" ").map(Number), left = box[0], width = box[2];
    var first = Number(chart.getAttribute("data-low")), last = Number(chart.getAttribute("data-high"));
    var kept = axis.innerHTML, low = first, high = last, from = null, mark = null;
    var tracks = null, drawn = [], shortest = (last - first) / 1000;
    var base = Number(chart.getAttribute("data-base")), top = Number(chart.getAttribute("data-top"));
    var watts = Number(chart.getAttribute("data-watts"));

    function pixel(t) { return left + width * (t - first) / (last - first); }

    function load() {
      tracks = unpack(chart);
      tracks.forEach(function (track) {
        var count = track.t.length;
        if (count > 1) shortest = Math.min(shortest, SHORTEST * (track.t[count - 1] - track.t[0]) / (count - 1));
      });
    }

    function path(style, d) {
      var made = view.appendChild(document.createElementNS(chart.namespaceURI, "path"));
      made.setAttribute("class", style);
      made.setAttribute("d", d);
      drawn.push(made);
    }

    // Draws the readings of the visible interval.
    function deepen() {
      drawn.forEach(function (node) { node.remove(); });
      drawn = [];
      tracks.forEach(function (track) {
        var begin = Math.max(position(track.t, low) - 1, 0), end = Math.min(position(track.t, high) + 1, track.t.length);
        var points = visible(track, begin, end).map(function (i) {
          return pixel(track.t[i]).toFixed(4) + " " + (base + (top - base) * track.w[i] / watts).toFixed(2);
        });
        if (!points.length) return;
        path("power " + track.style, "M" + points.join("L"));
        if (end - begin <= SINGLE) path("reading " + track.style, points.map(function (point) { return "M" + point + "h0"; }).join(""));
      });
    }

    function show(a, b) {
      if (tracks === null) load();
      var span = Math.min(Math.max(b - a, shortest), last - first);
      low = Math.min(Math.max(a, first), last - span);
      high = low + span;
      var whole = span >= (last - first) * 0.9999;
      view.setAttribute("viewBox", [pixel(low), box[1], width * span / (last - first), box[3]].join(" "));
      chart.classList.toggle("zoomed", !whole);
      chart.classList.toggle("deep", !whole && tracks.length > 0);
      if (whole) { drawn.forEach(function (node) { node.remove(); }); drawn = []; }
      else deepen();
      axis.innerHTML = kept;
      if (whole) return;
      var pattern = axis.querySelector("text").cloneNode(false);
      axis.textContent = "";
      window.axisTicks(low, high).forEach(function (t) {
        var text = pattern.cloneNode(false);
        text.setAttribute("x", (left + width * (t - low) / span).toFixed(1));
        text.textContent = String(t).replace("-", "\u2212");
        axis.appendChild(text);
      });
    }

    function moment(event) {
      var frame = chart.getBoundingClientRect(), wide = chart.viewBox.baseVal.width;
      var x = Math.min(Math.max((event.clientX - frame.left) * wide / frame.width, left), left + width);
      return low + (high - low) * (x - left) / width;
    }

    function drop() { if (mark) mark.remove(); from = mark = null; }

    chart.addEventListener("pointerdown", function (event) {
      if (event.pointerType === "touch" || event.button) return;
      from = moment(event);
      mark = view.appendChild(document.createElementNS(chart.namespaceURI, "rect"));
      mark.setAttribute("class", "picked-time");
      mark.setAttribute("y", box[1]);
      mark.setAttribute("height", box[3]);
      chart.setPointerCapture(event.pointerId);
    });
    chart.addEventListener("pointermove", function (event) {
      if (from === null) return;
      var ends = [pixel(from), pixel(moment(event))].sort(function (a, b) { return a - b; });
      mark.setAttribute("x", ends[0]);
      mark.setAttribute("width", ends[1] - ends[0]);
    });
    chart.addEventListener("pointerup", function (event) {
      if (from === null) return;
      var ends = [from, moment(event)].sort(function (a, b) { return a - b; });
      drop();
      if (ends[1] - ends[0] > (high - low) / 100) show(ends[0], ends[1]);
    });
    chart.addEventListener("pointercancel", drop);
    chart.addEventListener("dblclick", function () { show(first, last); });

    var bar = document.createElement("div");
    bar.className = "zoom-bar";
    [["Zoom in", 0.25, -0.25], ["Zoom out", -0.5, 0.5], ["Earlier", -0.5, -0.5], ["Later", 0.5, 0.5], ["Whole run", 0, 0]].forEach(function (action) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = action[0];
      button.addEventListener("click", function () {
        var span = high - low;
        if (action[1] || action[2]) show(low + span * action[1], high + span * action[2]);
        else show(first, last);
      });
      bar.appendChild(button);
    });
    var scroll = chart.closest(".scroll");
    scroll.parentNode.insertBefore(bar, scroll.nextSibling);
  }

  Array.prototype.forEach.call(document.querySelectorAll("svg.chart[data-low]"), start);
})();
