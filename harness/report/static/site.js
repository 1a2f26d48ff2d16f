(function () {
  "use strict";
  var states = [];
  var COLLATOR = new Intl.Collator("en");

  // Parts of the address after "#", by name.
  window.readHash = function () {
    var parts = {};
    location.hash.replace(/^#/, "").split("&").forEach(function (pair) {
      var at = pair.indexOf("=");
      if (at > 0) {
        try { parts[pair.slice(0, at)] = decodeURIComponent(pair.slice(at + 1)); } catch (e) { return; }
      }
    });
    return parts;
  };

  // About six round numbers between two ends.
  window.axisTicks = function (low, high) {
    var rough = (high - low) / 6, power = Math.pow(10, Math.floor(Math.log10(rough))), ticks = [];
    var step = [1, 2, 2.5, 5, 10].map(function (part) { return part * power; }).filter(function (size) { return size >= rough * 0.999; })[0];
    for (var n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) ticks.push(Number((n * step).toPrecision(12)));
    return ticks;
  };

  function store() {
    var parts = [];
    states.forEach(function (state) {
      var id = state.table.id;
      if (state.query) parts.push(id + ".q=" + encodeURIComponent(state.query));
      if (state.status) parts.push(id + ".status=" + encodeURIComponent(state.status));
      if (state.hidden.length) parts.push(id + ".hide=" + state.hidden.map(encodeURIComponent).join(","));
      if (state.key) parts.push(id + ".sort=" + encodeURIComponent(state.key) + "&" + id + ".dir=" + state.dir);
    });
    var hash = parts.length ? "#" + parts.join("&") : "#";
    try { history.replaceState(null, "", hash); } catch (e) { location.hash = hash; }
  }

  function cellValue(row, column) {
    var cell = row.cells[column];
    var raw = cell.hasAttribute("data-v") ? cell.getAttribute("data-v") : cell.textContent.trim();
    if (raw === "") return null;
    var number = Number(raw);
    return isNaN(number) ? raw.toLowerCase() : number;
  }

  function compare(a, b, dir) {
    if (a.value === null || b.value === null) {
      return (a.value === null) - (b.value === null) || a.place - b.place;
    }
    var order = typeof a.value === "number" && typeof b.value === "number"
      ? a.value - b.value : COLLATOR.compare(String(a.value), String(b.value));
    return order * dir || a.place - b.place;
  }

  // Values of a column with the rows' first places, read once.
  function valuesOf(state, key) {
    if (!state.values[key]) {
      var column = state.heads[key].cellIndex;
      state.values[key] = state.rows.map(function (row, place) {
        return { row: row, place: place, value: cellValue(row, column) };
      });
    }
    return state.values[key];
  }

  function inOrder(state) {
    if (!state.key) return state.rows;
    return valuesOf(state, state.key).slice()
      .sort(function (a, b) { return compare(a, b, state.dir); })
      .map(function (item) { return item.row; });
  }

  // Rows move once, off the page; where the order stays nothing is laid out again.
  function arrange(state, rows) {
    if (rows.every(function (row, at) { return row === state.order[at]; })) return;
    var body = state.table.tBodies[0];
    body.remove();
    var fragment = document.createDocumentFragment();
    rows.forEach(function (row) { fragment.appendChild(row); });
    body.appendChild(fragment);
    state.table.appendChild(body);
    state.order = rows;
  }

  function sort(state) {
    arrange(state, inOrder(state));
    Object.keys(state.heads).forEach(function (key) {
      var head = state.heads[key];
      if (key === state.key) head.setAttribute("aria-sort", state.dir > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }

  function filter(state) {
    var words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
    var shown = 0;
    if (words.length && !state.texts) {
      state.texts = state.rows.map(function (row) { return row.textContent.toLowerCase(); });
    }
    state.rows.forEach(function (row, place) {
      var fits = words.every(function (word) { return state.texts[place].indexOf(word) >= 0; }) &&
        (!state.status || row.getAttribute("data-status") === state.status);
      if (row.hidden === fits) row.hidden = !fits;
      shown += fits;
    });
    if (state.count) state.count.textContent = shown + " of " + state.rows.length + " entries";
  }

  function element(name, values, text) {
    var made = document.createElement(name);
    Object.keys(values).forEach(function (key) { made.setAttribute(key, values[key]); });
    if (text) made.textContent = text;
    return made;
  }

  function hideColumns(state) {
    Object.keys(state.heads).forEach(function (key) {
      var head = state.heads[key], hidden = state.hidden.indexOf(key) >= 0, last = head.cellIndex;
      var next = head.nextElementSibling;
      if (state.boxes[key]) state.boxes[key].checked = !hidden;
      if (head.hidden === hidden) return;
      if (next && next.className === "plot-head") last += 1;
      [state.table.tHead.rows[0]].concat(state.rows).forEach(function (row) {
        for (var at = head.cellIndex; at <= last; at++) row.cells[at].hidden = hidden;
      });
    });
  }

  function chooser(state) {
    var keys = Object.keys(state.heads).slice(1);
    var list = element("div", { "class": "columns-list" });
    keys.forEach(function (key) {
      var label = element("label", {});
      var box = state.boxes[key] = element("input", { type: "checkbox" });
      box.addEventListener("change", function () {
        state.hidden = keys.filter(function (key) { return !state.boxes[key].checked; });
        hideColumns(state);
        store();
      });
      label.appendChild(box);
      label.appendChild(document.createTextNode(" " + state.heads[key].textContent.replace(/[\u2191\u2193]/g, "").trim()));
      list.appendChild(label);
    });
    var details = element("details", { "class": "chooser" });
    details.appendChild(element("summary", {}, "Columns"));
    details.appendChild(list);
    return details;
  }

  function statusSelect(state) {
    var names = [];
    state.rows.forEach(function (row) {
      var name = row.getAttribute("data-status");
      if (name && names.indexOf(name) < 0) names.push(name);
    });
    if (names.length < 2) return null;
    var select = element("select", { "aria-label": "Show entries of status" });
    select.appendChild(element("option", { value: "" }, "any status"));
    names.sort().forEach(function (name) {
      select.appendChild(element("option", { value: name }, name.replace(/_/g, " ")));
    });
    select.addEventListener("change", function () { state.status = select.value; filter(state); store(); });
    return select;
  }

  function tools(state) {
    var place = document.querySelector('.tools[data-for="' + state.table.id + '"]');
    if (!place) return;
    state.input = element("input", { type: "search", placeholder: "Filter entries", "aria-label": "Filter entries" });
    state.input.addEventListener("input", function () { state.query = state.input.value; filter(state); store(); });
    place.appendChild(state.input);
    state.select = statusSelect(state);
    if (state.select) place.appendChild(state.select);
    place.appendChild(chooser(state));
    state.count = element("span", { "class": "count", role: "status" });
    place.appendChild(state.count);
    place.hidden = false;
  }

  function button(state, key) {
    var head = state.heads[key];
    var made = element("button", { type: "button" });
    while (head.firstChild) made.appendChild(head.firstChild);
    head.appendChild(made);
    made.addEventListener("click", function () {
      if (state.key !== key) { state.key = key; state.dir = 1; }
      else if (state.dir > 0) state.dir = -1;
      else { state.key = ""; state.dir = 1; }
      sort(state);
      store();
    });
  }

  function restore() {
    var hash = window.readHash();
    states.forEach(function (state) {
      var id = state.table.id;
      state.query = hash[id + ".q"] || "";
      state.status = hash[id + ".status"] || "";
      state.key = Object.prototype.hasOwnProperty.call(state.heads, hash[id + ".sort"]) ? hash[id + ".sort"] : "";
      state.dir = hash[id + ".dir"] === "-1" ? -1 : 1;
      state.hidden = (hash[id + ".hide"] || "").split(",").filter(function (key) {
        return Object.prototype.hasOwnProperty.call(state.boxes, key);
      });
      if (state.input) state.input.value = state.query;
      if (state.select) state.select.value = state.status;
      sort(state);
      filter(state);
      if (state.input) hideColumns(state);
    });
  }

  function start(table) {
    var rows = Array.prototype.slice.call(table.tBodies[0].rows);
    var state = { table: table, rows: rows, order: rows, values: {}, texts: null, heads: {}, boxes: {}, hidden: [], query: "", status: "", key: "", dir: 1 };
    Array.prototype.forEach.call(table.tHead.querySelectorAll("th[data-key]"), function (head) {
      state.heads[head.getAttribute("data-key")] = head;
    });
    Object.keys(state.heads).forEach(function (key) { button(state, key); });
    tools(state);
    states.push(state);
  }

  Array.prototype.forEach.call(document.querySelectorAll("table[data-sortable]"), start);
  if (states.length) restore();
  window.addEventListener("hashchange", function () { if (location.hash.indexOf("=") > 0) restore(); });
})();
