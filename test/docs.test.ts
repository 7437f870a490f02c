import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  docstringExamples,
  exportsOf,
  type Generated,
  generate,
  markdownBlocks,
  readLibrary,
} from './helpers/examples.js';
import { requireBuild, runNode } from './helpers/programs.js';
import { rhyme, timeMachinePath } from './helpers/texts.js';

/** What examples may use without making it: a language model, an optimizer for it, and something to train on. */
const prelude = `
  const corpus = await loadCorpus({ text: 'so it goes, '.repeat(100) });
  const [batch] = new ConsecutiveLoader(corpus, { batchSize: 4, steps: 8 });
  const model = new LanguageModel(new DeepLSTM({ layers: 2, hiddenSize: 16 }), { vocabulary: corpus.vocabulary });
  const optimizer = new SGD({ learningRate: 0.1 }).attach(model);
`;

const library = readLibrary();
const publicNames = exportsOf(library);
const blocks = markdownBlocks('README.md');
const programs = blocks.filter(({ code }) => code.includes("from 'deep-rnn'"));
const examples = [...docstringExamples(library), ...blocks.filter((block) => !programs.includes(block))];

/** The examples read and write files here. */
const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-docs-'));
afterAll(() => rmSync(folder, { recursive: true }));

const surroundings = {
  cwd: folder,
  env: { XDG_CACHE_HOME: folder, DEEP_RNN_DATA: timeMachinePath === undefined ? '' : dirname(timeMachinePath) },
};

let generated: Generated;
let thrown: Record<string, string | null>;

beforeAll(async () => {
  requireBuild();
  generated = generate(examples, programs, { names: publicNames.map(({ name }) => name), prelude });
  for (const book of ['emma.txt', 'persuasion.txt']) writeFileSync(join(folder, book), rhyme);
  const results = join(folder, 'results.json');
  const { status, stderr } = await runNode([generated.main, results, ...generated.modules], surroundings);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  thrown = JSON.parse(readFileSync(results, 'utf8'));
}, 240_000);

test('README and examples type-check', () => {
  expect(generated.complaints).toBe('');
});

test.each(examples.map(({ name }) => name))('%s runs, and values in comments are right', (name) => {
  expect(thrown[name]).toBeNull();
});

test.each(programs.map((program, index) => ({ ...program, index })))(
  '$name runs',
  async ({ index }) => {
    const cwd = join(folder, `program-${index}`);
    mkdirSync(cwd);
    const { status, stdout, stderr } = await runNode([generated.programs[index]], { ...surroundings, cwd });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout.trimEnd()).toMatch(/^time traveller[^\n]*$/);
    expect(stdout.replace(/\n$/, '')).toHaveLength('time traveller'.length + 50);
    expect(existsSync(join(cwd, 'time-machine.safetensors'))).toBe(true);
  },
  120_000,
);

describe('every public class, function and constant', () => {
  const checker = library.getTypeChecker();
  const values = publicNames.filter(({ symbol, typeOnly }) => !typeOnly && symbol.flags & ts.SymbolFlags.Value);
  const isError = (symbol: ts.Symbol) => symbol.declarations![0].getSourceFile().fileName.endsWith('/errors.ts');

  test('has a docstring', () => {
    const silent = values.filter(({ symbol }) => symbol.getDocumentationComment(checker).length === 0);
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  test('has an example, errors aside', () => {
    const bare = values.filter(
      ({ symbol }) => !isError(symbol) && !symbol.getJsDocTags(checker).some(({ name }) => name === 'example'),
    );
    expect(bare.map(({ name }) => name)).toEqual([]);
    expect(values.length).toBeGreaterThan(100);
  });
});
