(function () {
  "use strict";
  var SVG = "http://www.w3.org/2000/svg";
  var source = document.getElementById("compare-data");
  var place = document.getElementById("compare");
  if (!source || !place) return;
  var entries = JSON.parse(source.textContent);
  var settings = JSON.parse(document.getElementById("compare-settings").textContent);
  if (entries.length < 2) return;
  var byId = {};
  entries.forEach(function (entry) { byId[entry.id] = entry; });

  function element(name, values, inside) {
    var made = document.createElement(name);
    Object.keys(values || {}).forEach(function (key) { made.setAttribute(key, values[key]); });
    (Array.isArray(inside) ? inside : inside === undefined ? [] : [inside]).forEach(function (each) {
      made.appendChild(typeof each === "string" ? document.createTextNode(each) : each);
    });
    return made;
  }

  function shape(name, values, text) {
    var made = document.createElementNS(SVG, name);
    Object.keys(values).forEach(function (key) { made.setAttribute(key, values[key]); });
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function three(value) {
    var sized = Number(value.toPrecision(3));
    return Math.abs(sized) >= 1e5 || (sized !== 0 && Math.abs(sized) < 1e-4)
      ? sized.toExponential(2).replace("e", " × 10^").replace("^+", "^") : sized.toPrecision(3).indexOf("e") < 0
        ? sized.toPrecision(3) : String(sized);
  }

  function quantity(value, base) {
    if (value === null || value === undefined) return "\u2014";
    var ladder = base === "J" || base === "W" ? [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"]]
      : base === "B" ? [[1073741824, "Gi"], [1048576, "Mi"], [1024, "Ki"], [1, ""]]
        : base === "s" ? [[1, ""], [1e-3, "m"], [1e-6, "µ"]] : [[1, ""]];
    var size = Math.abs(value);
    var unit = base === "s" && size >= 0.1 ? ladder[0] : ladder.filter(function (each) { return size >= each[0]; })[0] || ladder[ladder.length - 1];
    return three(value / unit[0]) + (base ? "\u202f" + unit[1] + base : "");
  }

  function interval(figure, base) {
    if (!figure) return "";
    if (figure.low === null && figure.high === null) return "";
    if (figure.high === null) return "\u2265\u202f" + quantity(figure.low, base);
    return quantity(figure.low, base) + " to " + quantity(figure.high, base);
  }

  function incomparable(a, b) {
    if (!a.energy || !b.energy) return "one of them has no joules";
    if (a.board_key[0] !== b.board_key[0] || a.board_key[1] !== b.board_key[1]) return "they are on different workloads";
    if (a.energy.domains.join() !== b.energy.domains.join()) return "their joules cover different domains";
    if (a.energy.method !== b.energy.method || a.energy.simulated !== b.energy.simulated) return "their joules came about in different ways";
    if (!a.time || !b.time) return "one of them has no time";
    return "";
  }

  function factors(a, b) {
    var steps = a.steps && b.steps && a.steps.value > 0 && b.steps.value > 0;
    function of(entry) {
      var watts = entry.energy.value / entry.time.value;
      return steps ? [["steps", entry.steps.value, ""], ["seconds a step", entry.time.value / entry.steps.value, "s"], ["watts", watts, "W"]]
        : [["seconds", entry.time.value, "s"], ["watts", watts, "W"]];
    }
    var one = of(a), other = of(b);
    var ea = a.energy.value, eb = b.energy.value;
    var mean = Math.abs(Math.log(eb / ea)) < 1e-12 ? ea : (eb - ea) / Math.log(eb / ea);
    return one.map(function (factor, at) {
      return { name: factor[0], base: factor[2], a: factor[1], b: other[at][1], joules: mean * Math.log(other[at][1] / factor[1]) };
    });
  }

  function waterfall(a, b, found) {
    var rows = [[a.title, 0, a.energy.value, "whole", quantity(a.energy.value, "J")]], level = a.energy.value;
    var top0 = Math.max(a.energy.value, b.energy.value) * 5e-4;
    found.forEach(function (factor) {
      rows.push([factor.name, level, level + factor.joules, factor.joules > 0 ? "more" : "less",
        Math.abs(factor.joules) < top0 ? "no change" : (factor.joules > 0 ? "+" : "\u2212") + quantity(Math.abs(factor.joules), "J")]);
      level += factor.joules;
    });
    rows.push([b.title, 0, b.energy.value, "whole", quantity(b.energy.value, "J")]);
    var top = Math.max.apply(null, rows.map(function (row) { return Math.max(row[1], row[2]); })) * 1.02;
    var svg = shape("svg", { "class": "chart", viewBox: "0 0 720 " + (rows.length * 28 + 6), role: "img", "aria-label": "Energy bridge, the table has its numbers" });
    rows.forEach(function (row, at) {
      var y = 4 + at * 28, left = 170 + 450 * Math.min(row[1], row[2]) / top, right = 170 + 450 * Math.max(row[1], row[2]) / top;
      svg.appendChild(shape("text", { "class": "label end", x: 158, y: y + 13 }, row[0].length > 24 ? row[0].slice(0, 24) + "\u2026" : row[0]));
      svg.appendChild(shape("rect", { "class": "change " + row[3], x: left.toFixed(1), y: y, width: Math.max(right - left, 0.5).toFixed(1), height: 18 }));
      svg.appendChild(shape("text", { "class": "label", x: (right + 8).toFixed(1), y: y + 13 }, row[4]));
    });
    return element("figure", {}, element("div", { "class": "scroll chart-scroll small-chart", tabindex: "0", role: "group", "aria-label": "Energy bridge" }, svg));
  }

  function ticks(high) {
    var power = Math.pow(10, Math.floor(Math.log10(high / 4)));
    var step = [1, 2, 2.5, 5, 10].map(function (factor) { return factor * power; }).filter(function (each) { return each >= high / 5; })[0];
    var found = [];
    for (var at = 0; at * step <= high * 1.0001; at++) found.push(at * step);
    return found;
  }

  function traces(a, b) {
    var both = [a, b].filter(function (entry) { return entry.power; });
    if (both.length < 2) return element("p", { "class": "note" }, "There are no two power traces to lay over each other.");
    var seconds = Math.max(a.power.seconds, b.power.seconds);
    var watts = Math.max.apply(null, a.power.watts.concat(b.power.watts)) * 1.06;
    var svg = shape("svg", { "class": "chart", viewBox: "0 0 920 250", role: "img", "aria-label": "Power of both entries after the gun" });
    ticks(watts).forEach(function (tick) {
      var y = (210 - 180 * tick / watts).toFixed(1);
      svg.appendChild(shape("path", { "class": "grid", d: "M52 " + y + "L908 " + y }));
      svg.appendChild(shape("text", { "class": "tick end", x: 44, y: Number(y) + 4 }, String(Number(tick.toPrecision(6)))));
    });
    ticks(seconds).forEach(function (tick) {
      svg.appendChild(shape("text", { "class": "tick middle", x: (52 + 856 * tick / seconds).toFixed(1), y: 228 }, String(Number(tick.toPrecision(6)))));
    });
    svg.appendChild(shape("text", { "class": "axis-name", x: 52, y: 18 }, "W"));
    svg.appendChild(shape("text", { "class": "axis-name end", x: 908, y: 246 }, "seconds after the gun"));
    both.forEach(function (entry, at) {
      var path = entry.power.watts.map(function (value, index) {
        var x = 52 + 856 * entry.power.seconds * index / (entry.power.watts.length - 1) / seconds;
        return x.toFixed(1) + " " + (210 - 180 * value / watts).toFixed(1);
      }).join("L");
      svg.appendChild(shape("path", { "class": "power d" + at, d: "M" + path }));
    });
    var keys = element("ul", { "class": "keys" }, both.map(function (entry, at) {
      return element("li", {}, [element("span", { "class": "swatch d" + at }), entry.title + ", seed " + entry.power.seed]);
    }));
    return element("figure", {}, [element("div", { "class": "scroll chart-scroll", tabindex: "0", role: "group", "aria-label": "Power of both" }, svg),
      element("figcaption", {}, [keys, "Sum over the domains that are added up."])]);
  }

  function joulesText(entry) {
    if (!entry.energy) return "\u2014";
    var how = entry.energy.simulated ? " (simulated)" : entry.energy.method === "modelled" || entry.energy.method === "declared" ? " (" + entry.energy.method + ")" : "";
    return quantity(entry.energy.value, "J") + how;
  }

  function table(a, b, found) {
    function ratio(x, y) { return x && y && x.value > 0 ? three(y.value / x.value) : "\u2014"; }
    var rows = [
      ["Energy to target \u2193", joulesText(a), joulesText(b), incomparable(a, b) ? "\u2014" : ratio(a.energy, b.energy)],
      ["interval", interval(a.energy, "J") || "\u2014", interval(b.energy, "J") || "\u2014", ""],
      ["Time to target \u2193", quantity(a.time && a.time.value, "s"), quantity(b.time && b.time.value, "s"), ratio(a.time, b.time)],
      ["interval", interval(a.time, "s") || "\u2014", interval(b.time, "s") || "\u2014", ""],
      [a.metric_name + (a.better === "higher" ? " \u2191" : " \u2193"), quantity(a.metric && a.metric.value, ""), quantity(b.metric && b.metric.value, ""), ""],
      ["interval", interval(a.metric, "") || "\u2014", interval(b.metric, "") || "\u2014", ""]
    ];
    found.forEach(function (factor) {
      rows.push([factor.name, quantity(factor.a, factor.base), quantity(factor.b, factor.base), three(factor.b / factor.a)]);
    });
    rows.push(["CPU seconds", quantity(a.cpu && a.cpu.value, "s"), quantity(b.cpu && b.cpu.value, "s"), ratio(a.cpu, b.cpu)]);
    rows.push(["Peak memory", quantity(a.memory, "B"), quantity(b.memory, "B"), ""]);
    rows.push(["Seeds that count, failed runs", a.n + ", " + a.failures, b.n + ", " + b.failures, ""]);
    [["Workload", 0], ["Machine", 2], ["Rules", 3]].forEach(function (pair) {
      rows.push([pair[0], a.board_key[pair[1]], b.board_key[pair[1]], a.board_key[pair[1]] === b.board_key[pair[1]] ? "same" : "different"]);
    });
    [["Submission", "submission"], ["Team", "team"], ["Division", "division"], ["Status", "status"]].forEach(function (pair) {
      rows.push([pair[0], a[pair[1]], b[pair[1]], a[pair[1]] === b[pair[1]] ? "same" : "different"]);
    });
    return rowsTable([a, b], rows, "Both entries; ratios are the second over the first.", "Both entries in numbers", "Ratio");
  }

  function rowsTable(pair, rows, caption, label, last) {
    function head(entry) { return element("th", { scope: "col" }, element("a", { href: entry.path }, element("bdi", {}, entry.title))); }
    return element("div", { "class": "scroll", tabindex: "0", role: "group", "aria-label": label }, element("table", {}, [
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, [element("th", { scope: "col" }, last ? "Quantity" : "Setting"), head(pair[0]), head(pair[1]), element("th", { scope: "col" }, last || "Verdict")])),
      element("tbody", {}, rows.map(function (row) {
        return element("tr", {}, [element("th", { scope: "row" }, row[0])].concat(row.slice(1).map(function (text) {
          return element("td", { "class": "value left" }, element("bdi", {}, text)); })));
      }))]));
  }

  // What one run of each was set up with: differences first, what both have alike folded away.
  function settingsOf(a, b) {
    var ours = settings[a.settings] || {}, theirs = settings[b.settings] || {};
    var names = Object.keys(ours).concat(Object.keys(theirs).filter(function (name) { return !has(ours, name); }));
    var rows = names.map(function (name) {
      var x = has(ours, name) ? ours[name] : "\u2014", y = has(theirs, name) ? theirs[name] : "\u2014";
      return [name, x, y, x === y ? "same" : "different"];
    });
    var apart = rows.filter(function (row) { return row[3] === "different"; });
    var alike = rows.filter(function (row) { return row[3] === "same"; });
    var parts = [element("h2", { id: "settings" }, "Set-up")];
    if (apart.length) parts.push(rowsTable([a, b], apart, "What differs between one run of each.", "Set-up that differs"));
    else parts.push(element("p", { "class": "note" }, names.length ? "One run of each was set up alike." : "No run of either can be read."));
    if (alike.length) parts.push(element("details", {}, [element("summary", {}, alike.length + " settings are the same"),
      rowsTable([a, b], alike, "What is the same in one run of each.", "Set-up that is the same")]));
    return element("section", { "aria-labelledby": "settings" }, parts);
  }

  function picker(name, label) {
    var select = element("select", { id: "pick-" + name });
    var groups = {};
    entries.forEach(function (entry) {
      var key = entry.board_key[0] + ", " + entry.board_key[2] + ", " + entry.board_key[3];
      if (!groups[key]) select.appendChild(groups[key] = element("optgroup", { label: key }));
      groups[key].appendChild(element("option", { value: entry.id }, entry.title));
    });
    select.addEventListener("change", function () { store(); show(); });
    return [element("label", { "for": "pick-" + name }, label), select];
  }

  var first = picker("a", "Entry"), second = picker("b", "against");
  var result = element("div", { "aria-live": "polite" });

  function store() {
    var hash = "#a=" + encodeURIComponent(first[1].value) + "&b=" + encodeURIComponent(second[1].value);
    try { history.replaceState(null, "", hash); } catch (e) { location.hash = hash; }
  }

  function show() {
    var a = byId[first[1].value], b = byId[second[1].value];
    var why = incomparable(a, b), found = why ? [] : factors(a, b);
    result.textContent = "";
    if (why) result.appendChild(element("p", { "class": "note" }, "No bridge: " + why + "."));
    else result.appendChild(waterfall(a, b, found));
    result.appendChild(table(a, b, found));
    result.appendChild(traces(a, b));
    result.appendChild(settingsOf(a, b));
  }

  function has(map, key) { return Object.prototype.hasOwnProperty.call(map, key); }

  // The first entry that another one can be held against.
  function paired() {
    for (var i = 0; i < entries.length; i += 1) {
      var one = entries[i];
      if (entries.some(function (other) { return other !== one && !incomparable(one, other) && other.board_key.join() === one.board_key.join(); })) return one;
    }
    return null;
  }

  function restore() {
    var asked = {};
    location.hash.replace(/^#/, "").split("&").forEach(function (pair) {
      var at = pair.indexOf("=");
      try { if (at > 0) asked[pair.slice(0, at)] = decodeURIComponent(pair.slice(at + 1)); } catch (e) { return; }
    });
    var a = has(byId, asked.a) ? asked.a : (paired() || entries[0]).id;
    var mates = entries.filter(function (entry) { return entry.id !== a && entry.board_key.join() === byId[a].board_key.join(); });
    var alike = mates.filter(function (entry) { return !incomparable(byId[a], entry); });
    var b = has(byId, asked.b) ? asked.b : (alike[0] || mates[0] || entries[a === entries[0].id ? 1 : 0]).id;
    first[1].value = a;
    second[1].value = b;
    show();
  }

  place.appendChild(element("div", { "class": "tools" }, first.concat(second)));
  place.appendChild(result);
  place.hidden = false;
  restore();
  window.addEventListener("hashchange", restore);
})();
