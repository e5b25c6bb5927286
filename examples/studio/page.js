'use strict';

const $ = (id) => document.getElementById(id);
const kMostBytes = 32 * 1024 * 1024;
let jobs = [];
let progress = null;
let selected = null;  // a job's id; without one, the newest is shown
const wells = {};

// ---- Asking the program ---------------------------------------------------------------------------

async function ask(method, path, body, type) {
  let answer;
  try {
    answer = await fetch(path, {method, body, headers: body === undefined ? {} : {'Content-Type': type}});
  } catch {
    throw new Error('The studio does not answer; is the program still running?');
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || `The studio answers with status ${answer.status}`);
  return said;
}

// ---- Words ----------------------------------------------------------------------------------------

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const percent = (part) => `${Math.floor(part * 100)} %`;
const clock = (seconds) => {
  const all = Math.max(0, Math.round(seconds));
  const two = (number) => String(number).padStart(2, '0');
  return all < 3600 ? `${Math.floor(all / 60)}:${two(all % 60)}`
                    : `${Math.floor(all / 3600)}:${two(Math.floor(all / 60) % 60)}:${two(all % 60)}`;
};
const nameOf = (file) => file.name.replace(/\.[^.]*$/, '').slice(0, 60) || 'picture';
const kBetween = ' in the style of ';

function standing(job) {
  const now = job.state === 'painting' ? progress : null;
  const size = job.width ? `${job.width} × ${job.height}` : '';
  const ahead = jobs.filter((other) => other.state === 'waiting' && other.id < job.id).length;
  switch (job.state) {
    case 'waiting': return ahead ? `Waits behind ${ahead} more` : 'Waits for its turn';
    case 'painting':
      if (!now) return 'Getting ready …';
      return [percent(now.done), `${clock(now.left)} left`,
        now.stages > 1 ? `stage ${now.stage} of ${now.stages}` : `step ${now.iteration} of ${now.last}`].join('  ·  ');
    case 'done': return [size, `painted in ${clock(job.seconds)}`].join('  ·  ') + (job.trouble ? `. ${capital(job.trouble)}` : '');
    case 'stopped': return [`Stopped at ${percent(job.done)}`, size].filter(Boolean).join('  ·  ');
    default: return `It did not work: ${job.trouble || 'the program says why where it was started'}`;
  }
}

// By which settings, in the words of the controls, one after the other.
function made(job) {
  const given = job.settings;
  const label = (id, value) => ([...$(id).options].find((option) => option.value === value) || {}).textContent;
  const all = [label('manner', given.preset ? `preset:${given.preset}` : `method:${given.method}`)];
  if (given.strength !== undefined) all.push(`strength ${Math.round(given.strength * 100)} %`);
  if (given.size) all.push(`${given.size} pixels`);
  if (given['original-colors']) all.push(`colours ${label('colors', given['original-colors'])}`);
  if (given.iterations) all.push(`${given.iterations} steps`);
  if (given['style-scale']) all.push(`${label('brush', String(given['style-scale']))} brush`);
  const time = new Date(job.time.replace(' UTC', 'Z').replace(' ', 'T'));
  if (!Number.isNaN(time.getTime())) all.push(time.toLocaleString([], {dateStyle: 'medium', timeStyle: 'short'}));
  return all.filter(Boolean).map((part) => Object.assign(document.createElement('span'), {textContent: part}));
}

function shortStanding(job) {
  switch (job.state) {
    case 'waiting': return 'waiting';
    case 'painting': return progress ? percent(progress.done) : 'getting ready';
    case 'done': return `${job.width} × ${job.height}`;
    case 'stopped': return `stopped at ${percent(job.done)}`;
    default: return 'failed';
  }
}

// ---- The picture ----------------------------------------------------------------------------------

function current() {
  return jobs.find((job) => job.id === selected) || jobs.find((job) => job.state === 'painting') || jobs[jobs.length - 1];
}

function put(image, source) {
  if (image.getAttribute('src') === source) return;
  if (source) image.src = source; else image.removeAttribute('src');
  image.hidden = !source;
}

// Asks for the next view only when the last is there, however slow the line is.
let viewComes = false;
function putView(image, source) {
  if (viewComes || image.getAttribute('src') === source) return;
  viewComes = true;
  image.onload = image.onerror = () => { viewComes = false; };
  put(image, source);
}

function showPicture() {
  const job = current();
  $('empty').hidden = Boolean(job);
  $('figure').hidden = !job;
  if (!job) return;
  const paints = job.state === 'painting';
  const live = paints && progress && progress.preview > 0;
  const ended = !paints && job.state !== 'waiting';
  const result = ended && job.width > 0;
  const frame = $('frame');
  put($('before'), `/pictures/${job.content}`);
  if (live) putView($('after'), `/preview?${job.id}-${progress.preview}`);
  else put($('after'), result || (job.width && !paints) ? `/jobs/${job.id}/result?${job.version}` : '');
  if (result) {
    frame.style.setProperty('--w', job.width);
    frame.style.setProperty('--h', job.height);
  }
  frame.classList.toggle('compares', Boolean(result));
  frame.classList.toggle('waits', !result && !live);
  $('before').alt = result ? `The photograph: ${job.name.split(kBetween)[0]}` : '';
  $('after').alt = live ? 'The picture as it is so far' : job.name;
  $('name').textContent = job.name;
  $('standing').textContent = standing(job);
  $('made').replaceChildren(...made(job));
  const bar = $('bar');
  bar.hidden = !paints;
  const done = paints && progress ? progress.done * 100 : 0;
  bar.style.setProperty('--done', done);
  bar.setAttribute('aria-valuenow', Math.floor(done));
  $('stop').hidden = ended;
  $('stop').textContent = job.state === 'waiting' ? 'Withdraw' : 'Stop';
  $('continue').hidden = job.state !== 'stopped' && job.state !== 'failed';
  $('again').hidden = !ended;
  $('remove').hidden = !ended;
  $('download').hidden = !result;
  if (result) {
    $('download').href = `/jobs/${job.id}/result?${job.version}`;
    $('download').download = `${job.name.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '') || 'picture'}.png`;
  }
}

// The frame has the content's proportions until there is a result.
$('before').addEventListener('load', () => {
  const job = current();
  if (!job || (job.width && job.state !== 'painting' && job.state !== 'waiting')) return;
  $('frame').style.setProperty('--w', $('before').naturalWidth);
  $('frame').style.setProperty('--h', $('before').naturalHeight);
});

const compare = () => {
  $('frame').style.setProperty('--cut', $('compare').value);
  $('compare').setAttribute('aria-valuetext', `${$('compare').value} % photograph`);
};
$('compare').addEventListener('input', compare);

async function act(method, path) {
  $('trouble').textContent = '';
  try {
    await ask(method, path, method === 'POST' ? '{}' : undefined, 'application/json');
  } catch (error) {
    $('trouble').textContent = error.message;
  }
}
$('stop').addEventListener('click', () => act('POST', `/jobs/${current().id}/stop`));
$('continue').addEventListener('click', () => {
  selected = current().id;
  act('POST', `/jobs/${selected}/continue`);
});
$('remove').addEventListener('click', (event) => {
  const button = event.currentTarget;
  if (button.dataset.sure !== current().id) {
    button.dataset.sure = current().id;
    button.textContent = 'Remove for good?';
    setTimeout(() => { button.dataset.sure = ''; button.textContent = 'Remove'; }, 4000);
    return;
  }
  button.dataset.sure = '';
  button.textContent = 'Remove';
  const id = current().id;
  selected = null;
  act('DELETE', `/jobs/${id}`);
});
$('again').addEventListener('click', () => {
  const job = current();
  const names = job.name.split(kBetween);
  wells.content.fill(job.content, names[0]);
  wells.style.fill(job.style, names[1] || '');
  const given = job.settings;
  const set = (id, value) => { if (value !== undefined) $(id).value = value; };
  set('manner', given.preset ? `preset:${given.preset}` : given.method ? `method:${given.method}` : undefined);
  set('strength', given.strength === undefined ? 100 : Math.round(given.strength * 100));
  set('size', given.size);
  set('colors', given['original-colors'] || 'no');
  set('steps', given.iterations || '');
  set('brush', String(given['style-scale'] || 1));
  showSettings();
  $('manner').focus();
});

// ---- The results ----------------------------------------------------------------------------------

// Entries stay the same elements, so that the focus stays where it is.
const entries = new Map();
function showList() {
  $('results').hidden = jobs.length === 0;
  const shown = current();
  for (const [id, entry] of entries) {
    if (jobs.some((job) => job.id === id)) continue;
    entry.remove();
    entries.delete(id);
  }
  for (const job of jobs) {
    let entry = entries.get(job.id);
    if (!entry) {
      entry = document.createElement('li');
      const button = document.createElement('button');
      button.type = 'button';
      const image = document.createElement('img');
      image.alt = '';
      image.loading = 'lazy';
      button.append(image, document.createElement('span'), document.createElement('span'));
      button.addEventListener('click', () => {
        selected = job.id;
        show();
        $('figure').scrollIntoView({block: 'nearest', behavior: 'smooth'});
      });
      entry.append(button);
      entries.set(job.id, entry);
      $('list').prepend(entry);  // jobs come in the order of their ids
    }
    const button = entry.firstChild;
    const [image, name, note] = button.children;
    const finished = job.width > 0 && job.state !== 'painting' && job.state !== 'waiting';
    put(image, finished ? `/jobs/${job.id}/small?${job.version}` : `/pictures/${job.content}`);
    if (name.textContent !== job.name) { name.textContent = job.name; button.title = job.name; }
    const words = shortStanding(job);
    if (note.textContent !== words) note.textContent = words;
    entry.classList.toggle('unfinished', !finished);
    button.setAttribute('aria-current', String(job === shown));
  }
}

function show() {
  showPicture();
  showList();
}

// ---- What happens ---------------------------------------------------------------------------------

const states = new Map();
function tell() {
  const said = [];
  for (const job of jobs) {
    const before = states.get(job.id);
    states.set(job.id, job.state);
    if (before && before !== job.state) said.push(`${job.name}: ${standing(job)}`);
  }
  if (said.length > 0) $('told').textContent = said.join('. ');
}

// One connection for each page that is looked at: a browser has few of them.
let events = null;
let retry = 0;
function listen() {
  clearTimeout(retry);
  if (events) events.close();
  events = null;
  if (document.hidden) return;
  events = new EventSource('/events');
  events.onopen = () => { $('lost').hidden = true; };
  events.onerror = () => {
    $('lost').hidden = false;
    if (events && events.readyState === EventSource.CLOSED) retry = setTimeout(listen, 3000);
  };
  events.addEventListener('jobs', (event) => {
    jobs = JSON.parse(event.data);
    tell();
    show();
  });
  events.addEventListener('progress', (event) => {
    progress = JSON.parse(event.data);
    show();
  });
}
document.addEventListener('visibilitychange', listen);
addEventListener('pagehide', () => { if (events) events.close(); });

// ---- The pictures that are dropped ----------------------------------------------------------------

class Well {
  constructor(element) {
    this.element = element;
    this.input = element.querySelector('input');
    this.image = element.querySelector('img');
    this.note = element.querySelector('.note');
    this.id = null;
    this.name = '';
    this.count = 0;
    this.input.addEventListener('change', () => {
      if (this.input.files.length > 0) this.send(this.input.files[0]);
      this.input.value = '';
    });
  }

  fill(id, name) {
    ++this.count;
    this.id = id;
    this.name = name;
    this.note.textContent = name;
    this.element.classList.remove('wrong');
    this.element.classList.add('full');
    put(this.image, `/pictures/${id}`);
    this.image.alt = name;
  }

  fail(why) {
    this.element.classList.remove('full');
    this.element.classList.add('wrong');
    this.id = null;
    put(this.image, '');
    this.note.textContent = why;
  }

  async send(file) {
    const count = ++this.count;
    $('trouble').textContent = '';
    if (file.size > kMostBytes) return this.fail('Larger than 32 MiB');
    this.id = null;
    this.element.classList.remove('full', 'wrong');
    put(this.image, '');
    this.note.textContent = 'Reading …';
    try {
      const {id} = await ask('POST', '/pictures', file, 'application/octet-stream');
      if (count === this.count) this.fill(id, nameOf(file));  // else another came after it
    } catch (error) {
      if (count === this.count) this.fail(capital(error.message));
    }
  }
}
for (const element of document.querySelectorAll('.well')) wells[element.dataset.role] = new Well(element);

// A picture that is dropped beside the wells goes into the first that is empty.
addEventListener('dragover', (event) => {
  event.preventDefault();
  const over = event.target.closest && event.target.closest('.well');
  for (const well of Object.values(wells)) well.element.classList.toggle('over', well.element === over);
});
addEventListener('dragleave', () => {
  for (const well of Object.values(wells)) well.element.classList.remove('over');
});
addEventListener('drop', (event) => {
  event.preventDefault();
  const over = event.target.closest && event.target.closest('.well');
  let into = Object.values(wells).filter((well) => over ? well.element === over : well.id === null);
  if (into.length === 0) into = Object.values(wells);
  if (over && event.dataTransfer.files.length > 1) into = Object.values(wells);
  for (const well of Object.values(wells)) well.element.classList.remove('over');
  [...event.dataTransfer.files].slice(0, into.length).forEach((file, i) => into[i].send(file));
});

// ---- The settings ---------------------------------------------------------------------------------

function showSettings() {
  const manner = $('manner').selectedOptions[0];
  $('manner-note').textContent = manner.dataset.note;
  $('strength-field').hidden = manner.value !== 'method:neighbors';
  $('strength-value').textContent = `${$('strength').value} %`;
  $('size-value').textContent = `${$('size').value} pixels`;
}
for (const id of ['manner', 'strength', 'size']) $(id).addEventListener('input', showSettings);

function settings() {
  const [kind, name] = $('manner').value.split(':');
  const all = {[kind]: name, size: Number($('size').value)};
  if (name === 'neighbors') all.strength = Number($('strength').value) / 100;
  if ($('colors').value !== 'no') all['original-colors'] = $('colors').value;
  if ($('steps').value) all.iterations = Number($('steps').value);
  if ($('brush').value !== '1') all['style-scale'] = Number($('brush').value);
  return all;
}

$('panel').addEventListener('submit', async (event) => {
  event.preventDefault();
  $('trouble').textContent = '';
  const lacking = Object.values(wells).find((well) => well.id === null);
  if (lacking) {
    $('trouble').textContent = lacking === wells.content ? 'Drop or choose a photograph first.' : 'Drop or choose a painting first.';
    lacking.input.focus();
    return;
  }
  $('paint').disabled = true;
  try {
    const job = {content: wells.content.id, style: wells.style.id, settings: settings(),
      name: wells.content.name + kBetween + wells.style.name};
    selected = (await ask('POST', '/jobs', JSON.stringify(job), 'application/json')).id;
    show();
    if (innerWidth < 900) $('figure').scrollIntoView({behavior: 'smooth'});
  } catch (error) {
    $('trouble').textContent = capital(error.message);
  }
  $('paint').disabled = false;
});

if (matchMedia('(pointer: coarse)').matches) {
  for (const text of document.querySelectorAll('.lead, .well .note')) text.textContent = text.textContent.replace('Drop or choose', 'Choose').replace('Drop', 'Choose');
}
showSettings();
compare();
listen();
