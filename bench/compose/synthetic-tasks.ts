// Task texts of many kinds, as publishers of other adapters would attach them: ninety tasks, each in eight ways of writing a prompt.
import { SeededRandom } from '#src/statistics/seeded-random.js';
import { CITIES, CLASSIFICATIONS, FACTS, NAMES, NUMBER_WORDS, WORDS } from './synthetic-vocabulary.js';

export interface TaskExample {
  readonly prompt: string;
  readonly completion: string;
}

export interface SyntheticKind {
  /** The task and the way of writing, `reversed word/instruction`. */
  readonly name: string;
  readonly examples: readonly TaskExample[];
}

interface Random {
  /** A whole number from 0 to below n. */
  below(n: number): number;
  pick<Item>(items: readonly Item[]): Item;
  sample<Item>(items: readonly Item[], count: number): Item[];
}

interface Task {
  readonly name: string;
  readonly input: string;
  readonly output: string;
  readonly order: string;
  create(random: Random): readonly [input: string, output: string];
}

type Style = (task: Task, input: string, output: string) => TaskExample;

const STYLES: Readonly<Record<string, Style>> = {
  labels: (task, x, y) => ({ prompt: `${task.input}: ${x}\n${task.output}:`, completion: ` ${y}` }),
  plain: (_task, x, y) => ({ prompt: `Input: ${x}\nOutput:`, completion: ` ${y}` }),
  question: (task, x, y) => ({ prompt: `Q: ${task.order}: ${x}?\nA:`, completion: ` ${y}` }),
  instruction: (task, x, y) => ({ prompt: `### Instruction:\n${task.order}.\n\n### Input:\n${x}\n\n### Response:\n`, completion: y }),
  arrow: (_task, x, y) => ({ prompt: `${x} ->`, completion: ` ${y}` }),
  order: (task, x, y) => ({ prompt: `${task.order}.\n${x}\n${task.output} =`, completion: ` ${y}` }),
  chat: (task, x, y) => ({ prompt: `User: ${task.order}: ${x}\nAssistant:`, completion: ` ${y}` }),
  tags: (task, x, y) => ({
    prompt: `<${slug(task.input)}>${x}</${slug(task.input)}>\n<${slug(task.output)}>`,
    completion: `${y}</${slug(task.output)}>`,
  }),
};

const letters = (word: string): string[] => word.split('');
const vowels = (word: string): number => letters(word).filter((letter) => 'aeiou'.includes(letter)).length;
const capital = (word: string): string => `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
const slug = (text: string): string => text.toLowerCase().replaceAll(' ', '-');

const WORD_TASKS: readonly (readonly [name: string, output: string, order: string, change: (word: string) => string])[] = [
  ['reversed word', 'Reversed', 'Reverse the word', (w) => letters(w).reverse().join('')],
  ['upper case', 'Upper case', 'Write the word in upper case', (w) => w.toUpperCase()],
  ['last letter', 'Last letter', 'Give the last letter', (w) => w.slice(-1)],
  ['vowel count', 'Vowels', 'Count the vowels', (w) => String(vowels(w))],
  [
    'without vowels',
    'Consonants',
    'Leave out the vowels',
    (w) =>
      letters(w)
        .filter((l) => !'aeiou'.includes(l))
        .join(''),
  ],
  ['spelled', 'Spelling', 'Spell the word', (w) => letters(w).join('-')],
  ['sorted letters', 'Sorted letters', 'Sort the letters', (w) => letters(w).sort().join('')],
  ['pig latin', 'Pig Latin', 'Say it in Pig Latin', (w) => `${w.slice(1)}${w.charAt(0)}ay`],
  ['doubled', 'Twice', 'Write the word twice', (w) => `${w} ${w}`],
  ['has an e', 'Contains e', 'Does the word contain an e', (w) => (w.includes('e') ? 'yes' : 'no')],
  [
    'caesar',
    'Cipher',
    'Shift each letter by one',
    (w) =>
      letters(w)
        .map((l) => (l === 'z' ? 'a' : String.fromCharCode(l.charCodeAt(0) + 1)))
        .join(''),
  ],
  ['comparative', 'More than that', 'Put more before it', (w) => `more ${w}`],
];

const LIST_TASKS: readonly (readonly [name: string, output: string, order: string, change: (words: string[]) => string])[] = [
  ['second', 'Second', 'Give the second word', (ws) => ws[1] ?? ''],
  ['longest', 'Longest', 'Give the longest word', (ws) => [...ws].sort((a, b) => b.length - a.length)[0] ?? ''],
  ['shortest', 'Shortest', 'Give the shortest word', (ws) => [...ws].sort((a, b) => a.length - b.length)[0] ?? ''],
  ['list reversed', 'Reversed', 'Reverse the list', (ws) => [...ws].reverse().join(', ')],
  ['list sorted', 'Sorted', 'Sort the list', (ws) => [...ws].sort().join(', ')],
  ['count', 'Count', 'Count the words', (ws) => String(ws.length)],
  ['joined', 'Joined', 'Join with dashes', (ws) => ws.join('-')],
  ['initials', 'Initials', 'Give the initials', (ws) => ws.map((w) => w.charAt(0).toUpperCase()).join('')],
  ['all but the first', 'Rest', 'Leave out the first word', (ws) => ws.slice(1).join(', ')],
  ['most vowels', 'Most vowels', 'Which word has the most vowels', (ws) => [...ws].sort((a, b) => vowels(b) - vowels(a))[0] ?? ''],
];

const NUMBER_TASKS: readonly (readonly [
  name: string,
  input: string,
  output: string,
  order: string,
  create: (a: number, b: number) => [string, string],
])[] = [
  ['sum', 'Numbers', 'Sum', 'Add the numbers', (a, b) => [`${a} + ${b}`, String(a + b)]],
  ['difference', 'Numbers', 'Difference', 'Subtract', (a, b) => [`${a + b} - ${a}`, String(b)]],
  ['product', 'Numbers', 'Product', 'Multiply', (a, b) => [`${a} * ${b}`, String(a * b)]],
  ['parity', 'Number', 'Even or odd', 'Is the number even or odd', (a) => [String(a), a % 2 === 0 ? 'even' : 'odd']],
  ['larger', 'Numbers', 'Larger', 'Which is larger', (a, b) => [`${a}, ${b}`, String(Math.max(a, b))]],
  ['double', 'Number', 'Double', 'Double the number', (a) => [String(a), String(2 * a)]],
  [
    'digit sum',
    'Number',
    'Digit sum',
    'Add the digits',
    (a) => [String(a), String([...String(a)].reduce((sum, digit) => sum + Number(digit), 0))],
  ],
  ['number from word', 'Number word', 'Digits', 'Write in digits', (a) => [NUMBER_WORDS[a % 20] ?? '', String(a % 20)]],
  [
    'time',
    'Minutes',
    'Clock',
    'Write as hours and minutes',
    (a, b) => [String(a * 9 + b), `${Math.floor((a * 9 + b) / 60)}:${String((a * 9 + b) % 60).padStart(2, '0')}`],
  ],
  ['price', 'Net price', 'With tax', 'Add twenty percent tax', (a) => [`${a}.00`, `${(a * 1.2).toFixed(2)}`]],
];

const TEXT_TASKS: readonly (readonly [
  name: string,
  input: string,
  output: string,
  order: string,
  create: (random: Random) => [string, string],
])[] = [
  ['find the city', 'Sentence', 'City', 'Which city is named', (r) => withCity(r, (_, city) => city)],
  ['find the name', 'Sentence', 'Person', 'Who is named', (r) => withCity(r, (name) => name)],
  [
    'sentence as question',
    'Sentence',
    'Question',
    'Turn it into a question',
    (r) => withCity(r, (name, city) => `Did ${name} move to ${city}?`),
  ],
  [
    'sentence negated',
    'Sentence',
    'Negation',
    'Negate the sentence',
    (r) => withCity(r, (name, city) => `${name} did not move to ${city} last year.`),
  ],
  ['first word of a sentence', 'Sentence', 'First word', 'Give the first word', (r) => withCity(r, (name) => name)],
  ['words of a sentence', 'Sentence', 'Words', 'Count the words', (r) => withCity(r, () => '6')],
  [
    'e-mail address',
    'Name',
    'Address',
    'Make the e-mail address',
    (r) => {
      const [a, b] = [r.pick(NAMES), r.pick(CITIES)];
      return [`${a} ${b}`, `${a}.${b}@mail.org`.toLowerCase()];
    },
  ],
  [
    'date format',
    'Date',
    'ISO date',
    'Write the date as ISO 8601',
    (r) => {
      const [d, m, y] = [1 + r.below(28), 1 + r.below(12), 1950 + r.below(90)];
      return [`${d}.${m}.${y}`, `${y}-${String(m).padStart(2, '0')}-${String(d).padStart(2, '0')}`];
    },
  ],
  [
    'JSON object',
    'Pair',
    'JSON',
    'Write as a JSON object',
    (r) => {
      const [k, v] = [r.pick(WORDS), r.below(100)];
      return [`${k} is ${v}`, `{"${k}": ${v}}`];
    },
  ],
  [
    'CSV cell',
    'Row',
    'Third cell',
    'Give the third cell',
    (r) => {
      const ws = r.sample(WORDS, 4);
      return [ws.join(';'), ws[2] ?? ''];
    },
  ],
  [
    'snake case',
    'Words',
    'Identifier',
    'Write in snake case',
    (r) => {
      const ws = r.sample(WORDS, 2);
      return [ws.join(' '), ws.join('_')];
    },
  ],
  [
    'camel case',
    'Words',
    'Identifier',
    'Write in camel case',
    (r) => {
      const [a = '', b = ''] = r.sample(WORDS, 2);
      return [`${a} ${b}`, `${a}${capital(b)}`];
    },
  ],
  [
    'HTML heading',
    'Title',
    'HTML',
    'Make it a heading',
    (r) => {
      const w = r.pick(WORDS);
      return [w, `<h1>${w}</h1>`];
    },
  ],
  [
    'URL host',
    'URL',
    'Host',
    'Give the host of the URL',
    (r) => {
      const [a = '', b = '', c = ''] = r.sample(WORDS, 3);
      return [`https://${a}.${b}.org/${c}`, `${a}.${b}.org`];
    },
  ],
  [
    'file extension',
    'File',
    'Extension',
    'Give the file extension',
    (r) => {
      const e = r.pick(['pdf', 'txt', 'png', 'csv', 'mp3', 'zip']);
      return [`${r.pick(WORDS)}.${e}`, e];
    },
  ],
  [
    'SQL',
    'Request',
    'SQL',
    'Write the SQL statement',
    (r) => {
      const [a = '', b = ''] = r.sample(WORDS, 2);
      return [`all ${a} of ${b}`, `SELECT ${a} FROM ${b};`];
    },
  ],
  [
    'Python print',
    'Text',
    'Python',
    'Print it in Python',
    (r) => {
      const w = r.pick(WORDS);
      return [w, `print("${w}")`];
    },
  ],
  [
    'greeting',
    'Name',
    'Greeting',
    'Greet the person',
    (r) => {
      const n = r.pick(NAMES);
      return [n, `Dear ${n}, how are you?`];
    },
  ],
  [
    'rhyme',
    'Word',
    'Rhyme',
    'Find a rhyme',
    (r) =>
      r.pick([
        ['cat', 'hat'],
        ['tree', 'sea'],
        ['light', 'night'],
        ['moon', 'spoon'],
        ['cake', 'lake'],
        ['door', 'floor'],
        ['rain', 'train'],
        ['gold', 'cold'],
      ]),
  ],
];

function withCity(random: Random, answer: (name: string, city: string) => string): [string, string] {
  const [name, city] = [random.pick(NAMES), random.pick(CITIES)];
  return [`${name} moved to ${city} last year.`, answer(name, city)];
}

function listTasks(): Task[] {
  return [
    ...WORD_TASKS.map(([name, output, order, change]): Task => ({
      name,
      input: 'Word',
      output,
      order,
      create: (random) => {
        const word = random.pick(WORDS);
        return [word, change(word)];
      },
    })),
    ...[3, 5].flatMap((length) =>
      LIST_TASKS.map(([name, output, order, change]): Task => ({
        name: `${name} of ${length}`,
        input: 'Words',
        output,
        order,
        create: (random) => {
          const words = random.sample(WORDS, length);
          return [words.join(', '), change(words)];
        },
      })),
    ),
    ...NUMBER_TASKS.map(([name, input, output, order, create]): Task => ({
      name,
      input,
      output,
      order,
      create: (random) => create(2 + random.below(97), 2 + random.below(97)),
    })),
    ...TEXT_TASKS.map(([name, input, output, order, create]): Task => ({ name, input, output, order, create })),
    ...FACTS.map(({ table, ...labels }): Task => ({
      ...labels,
      name: `${labels.input} to ${labels.output}`,
      create: (random) => random.pick(table),
    })),
    ...CLASSIFICATIONS.map(({ classes, endings, ...labels }): Task => ({
      ...labels,
      name: `${labels.output} of ${labels.input}`,
      create: (random) => {
        const [label, beginnings] = random.pick(Object.entries(classes));
        return [`${random.pick(beginnings)}${random.pick(endings)}`, label];
      },
    })),
  ];
}

/** Every task in every way of writing, with `count` examples each; the same for the same seed. */
export function createSyntheticKinds(count: number, seed: number): SyntheticKind[] {
  const random = createRandom(seed);
  return listTasks().flatMap((task) =>
    Object.entries(STYLES).map(([styleName, style]) => ({
      name: `${task.name}/${styleName}`,
      examples: Array.from({ length: count }, () => style(task, ...task.create(random))),
    })),
  );
}

function createRandom(seed: number): Random {
  const stream = SeededRandom.fromSeed(seed);
  const below = (limit: number): number => stream.below(limit);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  };
  const sample = <Item>(items: readonly Item[], count: number): Item[] => {
    const left = [...items];
    return Array.from({ length: count }, () => left.splice(below(left.length), 1)).flat();
  };
  return { below, pick, sample };
}
