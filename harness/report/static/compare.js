(function () {
  "use strict";
  var SVG = "http://www.w3.org/2000/svg";
  var source = document.getElementById("compare-data");
  var place = document.getElementById("compare");
  if (!source || !place) return;
  var data = JSON.parse(source.textContent), entries = data.entries;
  if (entries.length < 2) return;
  var byId = {};
  entries.forEach(function (entry) { byId[entry.id] = entry; });

  function has(map, key) { return Object.prototype.hasOwnProperty.call(map, key); }

  function element(name, values, inside) {
    var node = document.createElement(name);
    Object.keys(values || {}).forEach(function (key) { node.setAttribute(key, values[key]); });
    (Array.isArray(inside) ? inside : inside === undefined ? [] : [inside]).forEach(function (child) {
      node.appendChild(typeof child === "string" ? document.createTextNode(child) : child);
    });
    return node;
  }

  function shape(name, values, text) {
    var node = document.createElementNS(SVG, name);
    Object.keys(values).forEach(function (key) { node.setAttribute(key, values[key]); });
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function framed(label, style, child) {
    return element("div", { "class": "scroll " + style, tabindex: "0", role: "group", "aria-label": label }, child);
  }

  // The bridge from a to b, computed by the harness; direction 0 is as stored, 1 is reversed.
  function pairOf(a, b) {
    if (has(data.pairs, a.id + " " + b.id)) return { direction: 0, pair: data.pairs[a.id + " " + b.id] };
    if (has(data.pairs, b.id + " " + a.id)) return { direction: 1, pair: data.pairs[b.id + " " + a.id] };
    return null;
  }

  function waterfall(a, b, bridge) {
    var level = a.joules, sign = bridge.direction ? -1 : 1;
    var rows = [[a.title, 0, a.joules, "whole", a.energy]];
    bridge.pair.bars.forEach(function (bar) {
      var joules = sign * bar.joules;
      rows.push([data.labels[bar.factor], level, level + joules, joules > 0 ? "more" : "less", bar.texts[bridge.direction]]);
      level += joules;
    });
    rows.push([b.title, 0, b.joules, "whole", b.energy]);
    var top = Math.max.apply(null, rows.map(function (row) { return Math.max(row[1], row[2]); })) * 1.02;
    var svg = shape("svg", { "class": "chart", viewBox: "0 0 720 " + (rows.length * 28 + 6), role: "img", "aria-label": "Energy bridge; the table has its numbers" });
    rows.forEach(function (row, at) {
      var y = 4 + at * 28, left = 170 + 450 * Math.min(row[1], row[2]) / top, right = 170 + 450 * Math.max(row[1], row[2]) / top;
      svg.appendChild(shape("text", { "class": "label end", x: 158, y: y + 13 }, row[0].length > 24 ? row[0].slice(0, 24) + "\u2026" : row[0]));
      svg.appendChild(shape("rect", { "class": "change " + row[3], x: left.toFixed(1), y: y, width: Math.max(right - left, 0.5).toFixed(1), height: 18 }));
      svg.appendChild(shape("text", { "class": "label", x: (right + 8).toFixed(1), y: y + 13 }, row[4]));
    });
    return element("figure", {}, framed("Energy bridge", "chart-scroll small-chart", svg));
  }

  function traces(a, b) {
    if (!a.power || !b.power) return element("p", { "class": "note" }, "There is no power trace of both entries.");
    var seconds = Math.max(a.power.seconds, b.power.seconds);
    var watts = Math.max.apply(null, a.power.watts.concat(b.power.watts)) * 1.06;
    var svg = shape("svg", { "class": "chart", viewBox: "0 0 920 250", role: "img", "aria-label": "Power of both entries since the start signal" });
    window.axisTicks(0, watts).forEach(function (tick) {
      var y = (210 - 180 * tick / watts).toFixed(1);
      svg.appendChild(shape("path", { "class": "grid", d: "M52 " + y + "L908 " + y }));
      svg.appendChild(shape("text", { "class": "tick end", x: 44, y: Number(y) + 4 }, String(tick)));
    });
    window.axisTicks(0, seconds).forEach(function (tick) {
      svg.appendChild(shape("text", { "class": "tick middle", x: (52 + 856 * tick / seconds).toFixed(1), y: 228 }, String(tick)));
    });
    svg.appendChild(shape("text", { "class": "axis-name", x: 52, y: 18 }, "W"));
    svg.appendChild(shape("text", { "class": "axis-name end", x: 908, y: 246 }, "seconds since the start signal"));
    [a, b].forEach(function (entry, at) {
      var path = entry.power.watts.map(function (value, index) {
        var x = 52 + 856 * entry.power.seconds * index / (entry.power.watts.length - 1) / seconds;
        return x.toFixed(1) + " " + (210 - 180 * value / watts).toFixed(1);
      }).join("L");
      svg.appendChild(shape("path", { "class": "power d" + at, d: "M" + path }));
    });
    var keys = element("ul", { "class": "keys" }, [a, b].map(function (entry, at) {
      return element("li", {}, [element("span", { "class": "swatch d" + at }), entry.title + ", seed " + entry.power.seed]);
    }));
    return element("figure", {}, [framed("Power of both", "chart-scroll", svg),
      element("figcaption", {}, [keys, "Sum over the domains of the total."])]);
  }

  function same(x, y) { return x === y ? "same" : "different"; }

  function table(a, b, bridge) {
    function ratio(texts) { return texts ? texts[bridge.direction] : "\u2014"; }
    var rows = a.figures.map(function (figure, at) {
      var texts = bridge && figure[2] ? bridge.pair.ratios[figure[2]] : null;
      return [figure[0], figure[1], b.figures[at][1], figure[2] ? ratio(texts) : ""];
    });
    (bridge ? bridge.pair.bars : []).forEach(function (bar) {
      rows.push([data.labels[bar.factor], a.factors[bar.factor], b.factors[bar.factor], ratio(bar.ratio)]);
    });
    a.facts.forEach(function (fact, at) { rows.push([fact[0], fact[1], b.facts[at][1], same(fact[1], b.facts[at][1])]); });
    return rowsTable([a, b], rows, "Both entries; ratios are the second over the first.", "Both entries in numbers", ["Quantity", "Ratio"]);
  }

  function rowsTable(pair, rows, caption, label, heads) {
    function head(entry) { return element("th", { scope: "col" }, element("a", { href: entry.path }, element("bdi", {}, entry.title))); }
    return framed(label, "", element("table", {}, [
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, [element("th", { scope: "col" }, heads[0]), head(pair[0]), head(pair[1]), element("th", { scope: "col" }, heads[1])])),
      element("tbody", {}, rows.map(function (row) {
        return element("tr", {}, [element("th", { scope: "row" }, row[0])].concat(row.slice(1).map(function (text) {
          return element("td", { "class": "value left" }, element("bdi", {}, text)); })));
      }))]));
  }

  // Settings of one run of each entry: differences first, what is the same is folded.
  function settingsOf(a, b) {
    var ours = data.settings[a.settings], theirs = data.settings[b.settings];
    var names = Object.keys(ours).concat(Object.keys(theirs).filter(function (name) { return !has(ours, name); }));
    var rows = names.map(function (name) {
      var x = has(ours, name) ? ours[name] : "\u2014", y = has(theirs, name) ? theirs[name] : "\u2014";
      return [name, x, y, same(x, y)];
    });
    var different = rows.filter(function (row) { return row[3] === "different"; });
    var equal = rows.filter(function (row) { return row[3] === "same"; });
    var parts = [element("h2", { id: "settings" }, "Settings")], heads = ["Setting", "Comparison"];
    if (different.length) parts.push(rowsTable([a, b], different, "Settings that differ between one run of each.", "Settings that differ", heads));
    else parts.push(element("p", { "class": "note" }, names.length ? "One run of each has the same settings." : "No run of either can be read."));
    if (equal.length) parts.push(element("details", {}, [element("summary", {}, equal.length + " settings are the same"),
      rowsTable([a, b], equal, "Settings that are the same in one run of each.", "Settings that are the same", heads)]));
    return element("section", { "aria-labelledby": "settings" }, parts);
  }

  function picker(name, label) {
    var select = element("select", { id: "pick-" + name }), groups = {};
    entries.forEach(function (entry) {
      var key = [entry.board[0], entry.board[2], entry.board[3]].join(", ");
      if (!has(groups, key)) select.appendChild(groups[key] = element("optgroup", { label: key }));
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
    var a = byId[first[1].value], b = byId[second[1].value], bridge = pairOf(a, b);
    result.textContent = "";
    if (bridge) result.appendChild(waterfall(a, b, bridge));
    else if (a !== b) result.appendChild(element("p", { "class": "note" }, "No bridge: the entries are on different workloads, their energy covers different domains or was obtained by different methods, or one of them has no energy or time."));
    result.appendChild(table(a, b, bridge));
    result.appendChild(traces(a, b));
    result.appendChild(settingsOf(a, b));
  }

  function onOneBoard(a, b) { return a !== b && a.board.join() === b.board.join(); }

  function restore() {
    var wanted = window.readHash();
    var paired = entries.filter(function (one) {
      return entries.some(function (other) { return onOneBoard(one, other) && pairOf(one, other); });
    });
    var a = has(byId, wanted.a) ? byId[wanted.a] : paired[0] || entries[0];
    var mates = entries.filter(function (entry) { return onOneBoard(a, entry); });
    var bridged = mates.filter(function (entry) { return pairOf(a, entry); });
    var b = has(byId, wanted.b) ? byId[wanted.b] : bridged[0] || mates[0] || entries[a === entries[0] ? 1 : 0];
    first[1].value = a.id;
    second[1].value = b.id;
    show();
  }

  place.appendChild(element("div", { "class": "tools" }, first.concat(second)));
  place.appendChild(result);
  place.hidden = false;
  restore();
  window.addEventListener("hashchange", restore);
})();
