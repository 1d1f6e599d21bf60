const DATA = JSON.parse(document.getElementById('data').textContent), $ = id => document.getElementById(id);
const { axes, units, seeds, cells, pictures, points } = DATA, none = { rows: {}, said: ['no point has this setting'] };
const make = (tag, more = {}, ...inside) => { const e = Object.assign(document.createElement(tag), more); e.append(...inside); return e; };
const at = { A: axes.map(() => 0), B: axes.map(a => a.values.length - 1) };
const reconstructions = units.length === 1 && units[0][0] === 'reconstructions';
let active = 0, side = 'A', two = false;
const cell = s => cells[at[s].join()] || none;

// A figure shows the picture of a unit and seed at a setting.
function figure(row, seed) {
  if (!row) return make('div', { className: 'none', textContent: 'no picture' });
  const [i, score, probability, rank, dead] = row, said = make('figcaption');
  if (score !== null) said.append(make('b', { textContent: score.toFixed(Math.abs(score) < 1 ? 2 : 1) }), probability === null ? '' : ` · ${(100 * probability).toFixed(0)} % · #${rank}`);
  if (dead) said.append(score === null ? '' : ' · ', make('span', { className: 'mark', textContent: 'dead' }));
  return make('figure', { className: dead ? 'dead' : '' }, make('img', { src: pictures[i], alt: `seed ${seed}`, decoding: 'async' }), said);
}

// Cards are filled when they come into view, so that a thousand of them cost nothing.
const inView = new Set(), watch = new IntersectionObserver(seen => seen.forEach(e => {
  if (e.isIntersecting) { inView.add(e.target); draw(e.target); } else inView.delete(e.target);
}), { rootMargin: '300px' });
function draw(card) {
  for (const box of card.querySelectorAll('.pictures:not([hidden])')) {
    const rows = cell(box.dataset.side).rows;
    box.replaceChildren(...seeds.map(seed => figure(rows[`${card.dataset.unit} ${seed}`], seed)));
  }
}
function card([unit, label]) {
  const name = make('button', { textContent: label, onclick: () => everySetting(unit, label) });
  const made = make('article', { className: 'card' }, make('h3', {}, name, label === unit || reconstructions ? '' : make('code', { textContent: unit })));
  for (const s of ['A', 'B']) { const box = make('div', { className: 'pictures', hidden: s === 'B' }); box.dataset.side = s; made.append(box); }
  Object.assign(made.dataset, { unit, name: `${label} ${unit}`.toLowerCase() });
  watch.observe(made);
  return made;
}

function controls() {
  for (const s of ['A', 'B']) {
    const box = document.querySelector(`.side[data-side=${s}]`);
    box.append(...(axes.length ? [make('b', { textContent: s, hidden: true })] : []), ...axes.map((axis, i) => {
      const input = axis.numbers ? make('input', { type: 'range', min: 0, max: axis.values.length - 1, step: 1 })
        : make('select', {}, ...axis.values.map((v, j) => make('option', { value: j, textContent: v })));
      input.setAttribute('aria-label', `${axis.name}, ${s}`);
      input.onfocus = () => { [active, side] = [i, s]; show(); };
      input.oninput = () => { at[s][i] = +input.value; [active, side] = [i, s]; show(); };
      return make('label', { className: 'axis' }, make('span', {}, `${axis.name} `, axis.numbers ? make('output') : ''), input);
    }));
  }
}
function show() {
  document.querySelector('main').classList.toggle('two', two);
  for (const c of $('cards').children) c.className = reconstructions ? 'card whole' : `card w${seeds.length * (two ? 2 : 1)}`;
  for (const e of document.querySelectorAll('[data-side=B]')) e.hidden = !two;
  for (const s of ['A', 'B']) {
    const box = document.querySelector(`.side[data-side=${s}]`), said = document.querySelector(`.said [data-side=${s}]`);
    box.querySelectorAll('.axis').forEach((label, i) => {
      const input = label.querySelector('input, select'), out = label.querySelector('output');
      input.value = at[s][i];
      input.setAttribute('aria-valuetext', axes[i].values[at[s][i]]);
      if (out) out.textContent = axes[i].values[at[s][i]];
      label.classList.toggle('active', i === active && s === side);
    });
    box.querySelectorAll(':scope > b').forEach(b => { b.hidden = !two; });
    said.replaceChildren(...(two ? [make('b', { textContent: `${s}  ` })] : []), cell(s).said.filter(Boolean).join(' | '));
  }
  $('compare')?.setAttribute('aria-pressed', two);
  inView.forEach(draw);
}
function filter() {
  const words = $('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  let n = 0;
  for (const c of $('cards').children) { c.hidden = !words.every(w => c.dataset.name.includes(w)); n += !c.hidden; }
  $('count').textContent = `${n} of ${units.length} unit${units.length === 1 ? '' : 's'}`;
}
function mean(unit, s) {
  const scores = seeds.map(seed => cell(s).rows[`${unit} ${seed}`]?.[1]).filter(Number.isFinite);
  return scores.length ? scores.reduce((sum, score) => sum + score, 0) / scores.length : -Infinity;
}
function sort() {
  const by = $('sort').value, order = new Map(units.map(([unit], i) => [unit, i]));
  const key = { name: c => c.dataset.name, score: c => -mean(c.dataset.unit, side), change: c => mean(c.dataset.unit, 'B') - mean(c.dataset.unit, 'A') || 0 }[by] || (c => order.get(c.dataset.unit));
  const keyed = [...$('cards').children].map(c => [key(c), c]);
  $('cards').append(...keyed.sort(([a], [b]) => (a > b) - (a < b)).map(([, c]) => c));
  if (by === 'change' && !two) compare();
}
function compare() { two = !two; if (!two) side = 'A'; show(); }
function keys(e) {
  if (document.querySelector('dialog').open || e.ctrlKey || e.metaKey || e.altKey || e.target === $('sort')) return;
  if (e.target === $('filter')) { if (e.key === 'Escape') { $('filter').value = ''; filter(); } return; }
  const count = axes.length && axes[active].values.length, step = { ArrowLeft: -1, ArrowRight: 1 }[e.key], other = { ArrowUp: -1, ArrowDown: 1 }[e.key];
  if (e.key === '/') $('filter').focus();
  else if (!count || (other && e.target === document.body && axes.length < 2)) return;
  else if (step) at[side][active] = Math.min(count - 1, Math.max(0, at[side][active] + step));
  else if (other) active = (active + other + axes.length) % axes.length;
  else if (e.key === 'c') compare();
  else if (e.key === 'b' && two) side = side === 'A' ? 'B' : 'A';
  else return;
  e.preventDefault();
  show();
}

// All of one unit's pictures: the marked setting from left to right, the others downwards.
function everySetting(unit, label) {
  const others = axes.map((_, i) => i).filter(i => i !== active), across = axes.length ? axes[active] : { name: '', values: [''] };
  const lines = [...new Set(Object.keys(cells).map(k => others.map(i => k.split(',')[i]).join()))].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const head = make('tr', {}, ...others.map(i => make('th', { textContent: axes[i].name })), ...across.values.map(v => make('th', { textContent: across.name ? `${across.name} ${v}` : '' })));
  const body = lines.map(line => {
    const place = line.split(',');
    return make('tr', {}, ...others.map((i, j) => make('th', { textContent: axes[i].values[place[j]] })), ...across.values.map((_, v) => {
      const full = axes.map((_, i) => (i === active ? v : place[others.indexOf(i)])).join(), rows = (cells[full] || none).rows;
      return make('td', {}, make('div', { className: 'pictures' }, ...seeds.filter(s => rows[`${unit} ${s}`]).map(s => figure(rows[`${unit} ${s}`], s))));
    }));
  });
  document.querySelector('dialog h2').textContent = label;
  document.querySelector('dialog table').replaceChildren(head, ...body);
  document.querySelector('dialog').showModal();
}

function table() {
  const head = document.querySelector('thead tr'), body = document.querySelector('tbody');
  const text = v => v === null ? '' : typeof v === 'number' && !Number.isInteger(v) ? +v.toPrecision(4) : v;
  body.append(...points.lines.map(line => {
    const tds = line.cells.map(v => make('td', { textContent: text(v) })), state = line.cells[points.columns.indexOf('state')];
    if (line.link) tds.at(-1).replaceChildren(make('a', { href: encodeURI(line.link), textContent: line.cells.at(-1) }));
    const tr = make('tr', { className: state }, ...tds);
    tr.values = line.cells;
    if (units.length) { tr.dataset.at = line.at; tr.onclick = () => { at[side] = line.at ? line.at.split(',').map(Number) : []; show(); scrollTo(0, 0); }; }
    return tr;
  }));
  head.append(...points.columns.map((name, i) => {
    const th = make('th', {}, make('button', { textContent: name }));
    th.firstChild.onclick = () => {
      const up = th.ariaSort !== 'ascending', key = v => v === null || v === '' ? Infinity : isNaN(v) ? v : +v;
      for (const t of head.children) t.ariaSort = null;
      th.ariaSort = up ? 'ascending' : 'descending';
      const order = (a, b) => { const [x, y] = [key(a.values[i]), key(b.values[i])]; return typeof x === 'number' && typeof y === 'number' ? (x > y) - (x < y) : String(x).localeCompare(String(y)); };
      body.append(...[...body.children].sort((a, b) => (up ? 1 : -1) * order(a, b)));
    };
    return th;
  }));
  const states = {};
  for (const line of points.lines) { const s = line.cells[points.columns.indexOf('state')]; states[s] = (states[s] || 0) + 1; }
  $('states').textContent = `${points.lines.length} points: ` + Object.entries(states).map(([s, n]) => `${n} ${s}`).join(', ');
}

table();
if (units.length) {
  controls();
  $('cards').append(...units.map(card));
  for (const tool of document.querySelectorAll('.tools > :not(button)')) tool.hidden = reconstructions;
  $('filter').oninput = filter;
  $('sort').onchange = sort;
  if ($('compare')) $('compare').onclick = compare;
  document.addEventListener('keydown', keys);
  filter();
  show();
}
