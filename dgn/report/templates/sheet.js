const { sheet, questions } = JSON.parse(document.getElementById('data').textContent), $ = id => document.getElementById(id);
const answers = questions.map(() => null), seconds = questions.map(() => null);
let at = -1, since = 0, saved = true;

const picture = (src, alt) => Object.assign(document.createElement('img'), { src, alt, draggable: false });
const fill = (box, sources, alt) => box.replaceChildren(...sources.map(src => picture(src, alt)));
const screen = shown => { for (const id of ['start', 'question', 'end']) $(id).hidden = id !== shown; };

// The next question, once its pictures can be drawn: the time of an answer is that of looking.
async function next() {
  if (++at >= questions.length) return end();
  const { above, below, queries } = questions[at];
  fill($('below'), below, 'weak response');
  fill($('above'), above, 'strong response');
  fill($('first'), queries.slice(0, 1), '');
  fill($('second'), queries.slice(1), '');
  $('count').textContent = `${at + 1} of ${questions.length}`;
  $('progress').value = at;
  screen('question');
  document.activeElement.blur();
  scrollTo(0, 0);
  await Promise.all([...$('question').querySelectorAll('img')].map(img => img.decode()));
  since = performance.now();
}

function choose(place) {
  if ($('question').hidden || !since) return;
  answers[at] = place;
  seconds[at] = Math.round(performance.now() - since) / 1000;
  since = 0;
  saved = false;
  next();
}

function end() {
  const given = answers.filter(answer => answer !== null).length;
  $('said').textContent = `You answered ${given} of ${questions.length}. Please save the file and give it back.`;
  const file = new Blob([JSON.stringify({ sheet, answers, seconds })], { type: 'application/json' });
  const who = crypto.getRandomValues(new Uint16Array(1))[0].toString(16).padStart(4, '0');
  Object.assign($('save'), { href: URL.createObjectURL(file), download: `answers-${sheet}-${who}.json` });
  $('more').hidden = at >= questions.length;
  screen('end');
}

$('begin').onclick = next;
$('first').onclick = () => choose(0);
$('second').onclick = () => choose(1);
$('stop').onclick = end;
$('on').onclick = () => { screen('question'); since = performance.now(); };
$('save').onclick = () => { saved = true; $('said').textContent = 'Once the file is saved you may close this page.'; };
addEventListener('keydown', event => {
  if (event.repeat || event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === 'ArrowLeft') choose(0);
  if (event.key === 'ArrowRight') choose(1);
});
addEventListener('beforeunload', event => { if (!saved) event.preventDefault(); });
