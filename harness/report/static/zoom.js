(function () {
  "use strict";
  var STEPS = [1, 2, 2.5, 5, 10];

  function ticks(low, high) {
    var rough = (high - low) / 6, power = Math.pow(10, Math.floor(Math.log10(rough))), step = 10 * power, found = [];
    for (var at = STEPS.length - 1; at >= 0; at--) if (STEPS[at] * power >= rough * 0.999) step = STEPS[at] * power;
    for (var n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(Number((n * step).toPrecision(12)));
    return found;
  }

  function start(chart) {
    var view = chart.querySelector("svg.zoom"), axis = chart.querySelector("g.times");
    if (!view || !axis) return;
    var box = view.getAttribute("viewBox").split(" ").map(Number), left = box[0], width = box[2];
    var first = Number(chart.getAttribute("data-low")), last = Number(chart.getAttribute("data-high"));
    var kept = axis.innerHTML, low = first, high = last, from = null, mark = null;

    function pixel(t) { return left + width * (t - first) / (last - first); }

    function show(a, b) {
      var span = Math.min(Math.max(b - a, (last - first) / 1000), last - first);
      low = Math.min(Math.max(a, first), last - span);
      high = low + span;
      var whole = span >= (last - first) * 0.9999;
      view.setAttribute("viewBox", [pixel(low), box[1], width * span / (last - first), box[3]].join(" "));
      chart.classList.toggle("zoomed", !whole);
      axis.innerHTML = kept;
      if (whole) return;
      var pattern = axis.querySelector("text").cloneNode(false);
      axis.textContent = "";
      ticks(low, high).forEach(function (t) {
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
    [["Zoom in", 0.25, -0.25], ["Zoom out", -0.5, 0.5], ["Earlier", -0.5, -0.5], ["Later", 0.5, 0.5], ["Whole run", 0, 0]].forEach(function (each) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = each[0];
      button.addEventListener("click", function () {
        var span = high - low;
        if (each[1] || each[2]) show(low + span * each[1], high + span * each[2]);
        else show(first, last);
      });
      bar.appendChild(button);
    });
    var scroll = chart.closest(".scroll");
    scroll.parentNode.insertBefore(bar, scroll.nextSibling);
  }

  Array.prototype.forEach.call(document.querySelectorAll("svg.chart[data-low]"), start);
})();
