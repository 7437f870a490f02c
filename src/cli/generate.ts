/** `deep-rnn generate`: lets a trained model continue a text. */
import { tokenize } from '../data/text.js';
import { LanguageModel } from '../models/language-model.js';
import { Arguments, PRECISIONS, UsageError } from './arguments.js';
import type { Command } from './command.js';

export const generate: Command = {
  help: `Lets a trained language model continue a text.

Usage: deep-rnn generate <model.safetensors> --prefix <text> [options]

  --prefix <text>        what the text begins with
  --length <n>           tokens to add (200)
  --temperature <x>      0: always the likeliest token; 1: as the model believes (0)
  --top-k <n>            draw among the n likeliest tokens only
  --top-p <x>            draw among the likeliest tokens that make up this probability only
  --seed <n>             repeats the draws
  --precision <name>     ${PRECISIONS.join(', ')}: operands of the recurrent products (as trained)
`,

  async run(args) {
    const options = new Arguments(args, {
      prefix: { type: 'string' },
      length: { type: 'string' },
      temperature: { type: 'string' },
      'top-k': { type: 'string' },
      'top-p': { type: 'string' },
      seed: { type: 'string' },
      precision: { type: 'string' },
    });
    const [path, ...others] = options.positionals;
    if (path === undefined || others.length > 0) throw new UsageError('Expected the path of one model');
    const prefix = options.string('prefix', '');
    if (prefix === '') throw new UsageError('Expected a text for --prefix');
    const length = options.integer('length', 1, 200);
    const temperature = options.number('temperature', 0, 0);
    const topK = options.integer('top-k', 1);
    const topP = options.number('top-p', 0);
    const seed = options.integer('seed', 0);

    const precision = options.has('precision') ? options.choice('precision', PRECISIONS, 'float32') : undefined;

    using model = await LanguageModel.load(path, { precision });
    const unknown = new Set(
      tokenize(prefix, model.vocabulary.kind).filter((token) => model.vocabulary.id(token) === 0),
    );
    if (unknown.size > 0) {
      console.error(`The model does not know ${[...unknown].map((token) => JSON.stringify(token)).join(', ')}`);
    }
    process.stdout.write(prefix);
    for await (const text of model.stream(prefix, { length, temperature, topK, topP, seed })) {
      process.stdout.write(text);
    }
    process.stdout.write('\n');
    return 0;
  },
};
