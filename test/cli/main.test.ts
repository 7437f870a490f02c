import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeSafetensors } from '../../src/io/safetensors.js';
import { requireBuild, root, runNode } from '../helpers/programs.js';
import { rhyme } from '../helpers/texts.js';

const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-cli-'));
beforeAll(requireBuild);
afterAll(() => rmSync(folder, { recursive: true }));

const main = join(root, 'dist', 'cli', 'main.js');
const run = (args: string[], options = {}) => runNode([main, ...args], { cwd: folder, ...options });
const SMALL = ['--hidden', '24', '--batch', '4', '--steps', '20', '--seed', '1'];
writeFileSync(join(folder, 'rhyme.txt'), rhyme);

describe('the command line', () => {
  test('help, version and mistakes', async () => {
    const help = await run(['--help']);
    expect(help).toMatchObject({ status: 0, stderr: '' });
    expect(help.stdout).toContain('deep-rnn <command>');
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(await run(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    expect((await run([])).status).toBe(2);
    const unknown = await run(['trian']);
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toContain('Unknown command "trian"; there are train, generate');
    for (const command of ['train', 'generate', 'bench', 'doctor', 'verify-gpu', 'build-native']) {
      const { status, stdout } = await run([command, '--help']);
      expect([status, stdout.includes(`Usage: deep-rnn ${command}`)]).toEqual([0, true]);
    }
  });

  test('mistakes end with status 2 and one line, faults of the world with 1', async () => {
    const mistakes: [string[], string][] = [
      [['train'], 'Expected at least one text file'],
      [['train', 'rhyme.txt', '--hiden', '3'], '--hiden'],
      [
        ['train', 'rhyme.txt', '--hidden', 'many'],
        'Expected an integer of at least 1 for --hidden but received "many"',
      ],
      [['train', 'rhyme.txt', '--cell', 'mgu'], '--cell'],
      [['train', 'rhyme.txt', '--init', 'zeros'], '--init'],
      [['train', 'rhyme.txt', '--dropout', '1'], '--dropout'],
      [
        ['train', 'rhyme.txt', '--precision', 'half'],
        'Expected one of float32, bfloat16, float16, tf32 for --precision but received "half"',
      ],
      [['generate', 'a.safetensors', '--prefix', 'a', '--precision', 'half'], '--precision'],
      [['train', 'rhyme.txt', '--validation', '2'], '--validation'],
      [['train', 'rhyme.txt', '--save', join('nowhere', 'x')], 'There is no folder'],
      [['generate'], 'Expected the path of one model'],
      [['generate', 'a.safetensors'], '--prefix'],
      [['bench', 'now'], 'Expected options only but received now'],
      [['bench', '--only', 'transformer'], '--only'],
      [['bench', '--threads', '0'], 'Expected an integer of at least 1 for --threads but received "0"'],
      [['doctor', '--verbose'], '--verbose'],
      [['doctor', 'now'], 'Expected options only but received now'],
      [['build-native', 'now'], 'Expected no argument but received now'],
    ];
    for (const [args, message] of mistakes) {
      const { status, stderr } = await run(args);
      expect(status, args.join(' ')).toBe(2);
      expect(stderr).toContain(message);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    }
    const missing = await run(['train', 'nowhere.txt']);
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain('"nowhere.txt" could not be read');
    expect(missing.stderr.trim().split('\n')).toHaveLength(1);
    const short = await run(['train', 'rhyme.txt', '--batch', '1000']);
    expect(short.status).toBe(1);
    expect(short.stderr).toContain('too short');
    const alien = await run(['generate', join(root, 'package.json'), '--prefix', 'a']);
    expect(alien.status).toBe(1);
    expect(alien.stderr).toContain('package.json');
  }, 240_000);

  test('train, then generate', async () => {
    const trained = await run([
      'train',
      'rhyme.txt',
      ...SMALL,
      ...[
        '--epochs',
        '40',
        '--optimizer',
        'sgd',
        '--learning-rate',
        '2',
        '--validation',
        '0.2',
        '--init',
        'normal:0.1',
      ],
    ]);
    expect(trained.stderr).toBe('');
    expect(trained.status).toBe(0);
    const lines = trained.stdout.trim().split('\n');
    expect(lines[0]).toMatch(/^\d+ tokens, vocabulary of \d+, [\d,]+ parameters$/);
    expect(lines.filter((line) => line.startsWith('epoch '))).toHaveLength(21);
    expect(lines[1]).toMatch(
      /^epoch 1\/40 {2}perplexity [\d.]+ {2}[\d,]+ tokens\/s {2}\d+ s left {2}validation [\d.]+$/,
    );
    const perplexity = Number(/^Done: perplexity ([\d.]+)\. Saved to .*rhyme\.safetensors$/.exec(lines.at(-1)!)![1]);
    expect(perplexity).toBeLessThan(1.5);
    const { tensors } = decodeSafetensors(readFileSync(join(folder, 'rhyme.safetensors')));
    expect(tensors.get('rnn.weight_hh_l1')!.shape).toEqual([96, 24]);

    const greedy = ['generate', 'rhyme.safetensors', '--prefix', 'the wheels', '--length', '40'];
    const generated = await run(greedy);
    expect(generated).toEqual(await run(greedy));
    expect(generated.status).toBe(0);
    expect(generated.stdout).toHaveLength(51);
    expect(rhyme).toContain(generated.stdout.slice(0, 24));

    const drawn = [...greedy, '--temperature', '1.5', '--top-k', '5', '--top-p', '0.95', '--seed'];
    expect(await run([...drawn, '3'])).toEqual(await run([...drawn, '3']));
    expect((await run([...drawn, '3'])).stdout).not.toBe((await run([...drawn, '4'])).stdout);
    const odd = await run(['generate', 'rhyme.safetensors', '--prefix', 'THE wheels', '--length', '5']);
    expect(odd.stderr).toBe('The model does not know "T", "H", "E"\n');
  });

  test('words, embedding, every cell', async () => {
    for (const cell of ['rnn', 'gru', 'lstm']) {
      const { status, stdout } = await run([
        ...['train', 'rhyme.txt', ...SMALL, '--cell', cell, '--tokens', 'word', '--embedding', '8', '--layers', '1'],
        ...['--dropout', '0.1', '--epochs', '2', '--steps', '5', '--save', `${cell}.safetensors`],
      ]);
      expect([status, stdout]).toEqual([0, expect.stringContaining(`Saved to ${join(folder, cell)}.safetensors`)]);
      const { stdout: text } = await run(['generate', `${cell}.safetensors`, '--prefix', 'round and', '--length', '3']);
      expect(text).toMatch(/^round and( [a-z]+){3}\n$/);
    }
  });

  test('Ctrl-C finishes the step, saves and says where', async () => {
    const path = join(folder, 'interrupted.safetensors');
    let signalled = false;
    const stopped = await run(['train', 'rhyme.txt', ...SMALL, '--epochs', '1000000', '--save', path], {
      watch: (child: { kill(signal: string): void }, stdout: string) => {
        if (signalled || !stdout.includes('epoch 1/')) return;
        signalled = true;
        child.kill('SIGINT');
      },
    });
    expect(stopped.status).toBe(130);
    expect(stopped.stderr).toBe('Finishing the step and saving; Ctrl-C again quits at once\n');
    expect(stopped.stdout).toMatch(/Stopped in epoch \d+: perplexity [\d.]+\. Saved to .*interrupted\.safetensors\n$/);
    expect(existsSync(path)).toBe(true);
    const { status, stdout } = await run(['generate', path, '--prefix', 'the', '--length', '5']);
    expect([status, stdout.length]).toEqual([0, 9]);
  });

  test('bench measures the rows asked for, as a table and as JSON', async () => {
    const quick = ['--rounds', '1', '--seconds', '0.01', '--threads', '1'];
    const table = await run(['bench', '--only', '2x64', ...quick]);
    expect(table).toMatchObject({ status: 0, stderr: '' });
    const [machine, , heading, ...rows] = table.stdout.trimEnd().split('\n');
    expect(machine).toMatch(/; CPU, \w+, 1 thread$/);
    expect(heading).toMatch(/^thousands of tokens\/s +deep-rnn \(min-max\) +GFLOP\/s +% peak +barrier$/);
    // The row for two threads is left out.
    const numbers = String.raw` +[\d.]+ \([\d.]+-[\d.]+\) +[\d.]+ +[\d.]+ +0 ns$`;
    expect(rows).toEqual([
      expect.stringMatching(`^LSTM 2x64, batch 16${numbers}`),
      expect.stringMatching(`^generate, LSTM 2x64, 1 thread${numbers}`),
      expect.stringMatching(`^LSTM 2x64, batch 16, bfloat16${numbers}`),
      expect.stringMatching(`^generate, LSTM 2x64, 1 thread, bfloat16${numbers}`),
    ]);

    const { stdout } = await run(['bench', '--only', 'generate, LSTM 2x64', '--json', ...quick]);
    const [row, half, ...others] = JSON.parse(stdout);
    expect(others).toEqual([]);
    expect(half).toMatchObject({ name: 'generate, LSTM 2x64, 1 thread, bfloat16', threads: 1 });
    expect(row).toMatchObject({ name: 'generate, LSTM 2x64, 1 thread', threads: 1, barrierNanoseconds: 0 });
    // 4 gates of 64 units from 64, in two layers and between them, and 28 logits; a multiply-add is two operations.
    expect(row.gigaflops * 1e9).toBeCloseTo(row.ours.median * 2 * (3 * 4 * 64 * 64 + 64 * 28), -3);
    expect(row.shareOfPeak).toBeCloseTo(row.gigaflops / row.peakGigaflops, 12);
  });

  test('doctor tells what there is and tests it', async () => {
    const { status, stdout } = await run(['doctor']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^binary +.*\.node\n +(built on this machine|supplied with the package)/m);
    expect(stdout).toMatch(/^cpu +CPU, .* threads?\n +self-test passed in \d+\.\d\d s$/m);
    expect(stdout).toMatch(/^cuda +/m);

    const report = JSON.parse((await run(['doctor', '--json'])).stdout);
    expect(report).toMatchObject({ ok: true, fault: null, platform: process.platform, arch: process.arch });
    expect(report.binary.path).toMatch(/\.node$/);
    expect(report.backends.map(({ kind }: { kind: string }) => kind)).toEqual(['cpu', 'cuda']);
    expect(report.backends[0]).toMatchObject({ absent: null, selfTest: { fault: null } });
  });

  test('without a binary that loads, doctor fails and says in a sentence what to do', async () => {
    const prebuilds = join(folder, 'broken', 'prebuilds', `${process.platform}-${process.arch}`);
    mkdirSync(prebuilds, { recursive: true });
    const sentence =
      /^FAILED +no native binary of deep-rnn loads on \S+: run `npx deep-rnn build-native`, which needs CMake .*\)$/m;
    const none = await run(['doctor'], { env: { DEEP_RNN_PREBUILD: join(folder, 'broken') } });
    expect(none.status).toBe(1);
    expect(none.stdout).toMatch(sentence);
    expect(none.stdout).toContain('(No native build was found for platform=');

    writeFileSync(join(prebuilds, 'deep-rnn.node'), 'no program');
    const broken = await run(['doctor', '--json'], { env: { DEEP_RNN_PREBUILD: join(folder, 'broken') } });
    expect(broken.status).toBe(1);
    expect(JSON.parse(broken.stdout)).toMatchObject({ ok: false, binary: null, backends: [] });
    expect(JSON.parse(broken.stdout).fault).toContain(join(prebuilds, 'deep-rnn.node'));
  });

  test('build-native names what to install when CMake is missing', async () => {
    const { status, stderr } = await run(['build-native'], { env: { PATH: folder, Path: folder } });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^deep-rnn: cmake was not found\. It takes CMake >= 3\.18/);
  });
});
