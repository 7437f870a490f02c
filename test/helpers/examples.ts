/** Finds the code in the documentation and turns it into modules that type-check and run. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { root } from './programs.js';
import { timeMachinePath } from './texts.js';

/** An example, named `src/file.ts name`. */
export interface Example {
  name: string;
  file: string;
  code: string;
}

/** Generated code; ignored by git, and inside the package so that `deep-rnn` resolves to it. */
export const folder = join(root, '.tools', 'docs');

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  types: ['node'],
  strict: true,
  skipLibCheck: true,
};

/** All of src/, with types. */
export function readLibrary(): ts.Program {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.ts$/.test(path),
  );
  return ts.createProgram(
    files.map((path) => join(root, 'src', path)),
    { ...OPTIONS, noEmit: true },
  );
}

/** What src/index.ts exports. */
export function exportsOf(library: ts.Program): { name: string; symbol: ts.Symbol; typeOnly: boolean }[] {
  const checker = library.getTypeChecker();
  const index = checker.getSymbolAtLocation(library.getSourceFile(join(root, 'src', 'index.ts'))!)!;
  return checker.getExportsOfModule(index).map((symbol) => {
    const typeOnly = !!symbol.declarations?.some(ts.isTypeOnlyExportDeclaration);
    return { name: symbol.name, symbol: checker.getAliasedSymbol(symbol), typeOnly };
  });
}

/** Every `@example` of the docstrings in src/. */
export function docstringExamples(library: ts.Program): Example[] {
  const examples: Example[] = [];
  for (const source of library.getSourceFiles()) {
    const file = relative(root, source.fileName).replaceAll('\\', '/');
    if (!file.startsWith('src')) continue;
    const visit = (node: ts.Node, owner: string) => {
      const name = (node as { name?: ts.Node }).name?.getText(source) ?? '';
      const path = ts.isClassElement(node) ? `${owner}.${name}` : name || owner;
      for (const tag of ts.getJSDocTags(node)) {
        if (tag.tagName.text !== 'example' || tag.parent.parent !== node) continue;
        examples.push({ name: `${file} ${path}`, file, code: ts.getTextOfJSDocComment(tag.comment) ?? '' });
      }
      ts.forEachChild(node, (child) => visit(child, path));
    };
    visit(source, '');
  }
  return examples;
}

/** The ```ts blocks of a Markdown file. */
export function markdownBlocks(file: string): Example[] {
  const blocks = readFileSync(join(root, file), 'utf8').matchAll(/^```ts\n(.*?)^```$/gms);
  return [...blocks].map(([, code], index) => ({ name: `${file} block ${index + 1}`, file, code }));
}

/** The same code with few epochs, and with another text where The Time Machine is missing. */
export function shortened(code: string): string {
  const short = code.replace(/epochs: \d+/, 'epochs: 2');
  if (timeMachinePath !== undefined) return short;
  return short.replace(/^(import .*), timeMachine }/m, `import { timeMachine } from '${support}';\n$1 }`);
}

/** The code, and for each statement whose comment shows a value the check that it, or the first name it declares, has it. */
function withClaims(code: string): string {
  const source = ts.createSourceFile('example.ts', code, ts.ScriptTarget.ES2022, true);
  let checked = '';
  for (const statement of source.statements) {
    const [comment] = ts.getTrailingCommentRanges(code, statement.end) ?? [];
    const claim = comment && shownValue(code.slice(comment.pos, comment.end));
    const text = statement.getText(source);
    if (claim !== undefined && ts.isExpressionStatement(statement)) {
      checked += `await expectShown(${statement.expression.getText(source)}, ${claim});\n`;
      continue;
    }
    checked += `${text}\n`;
    if (claim !== undefined && ts.isVariableStatement(statement)) {
      const [first] = /(?<=^\w+ [{[ ]*)\w+/.exec(text)!;
      checked += `await expectShown(${first}, ${claim});\n`;
    }
  }
  return checked;
}

/** The value that a comment begins with, such as `// [1, 2]`, `// Int32Array [1, 2]` or `// [2, 4], all 3`, as JSON. */
function shownValue(comment: string): string | undefined {
  const text = comment.replace(/^\/\/ (\w+Array )?/, '').replaceAll("'", '"');
  const brackets = [...text.matchAll(/]/g)].map(({ index }) => text.slice(0, index + 1));
  for (const candidate of [text, ...brackets]) {
    try {
      return JSON.stringify(JSON.parse(candidate));
    } catch {
      // Prose, or cut inside of nested brackets.
    }
  }
  return undefined;
}

/** From the generated modules. */
const support = '../../../test/helpers/example-support.js';

/** One module for all examples of a file, each in a function of its own after `prelude`, with all public names in scope. */
function moduleOf(examples: readonly Example[], names: readonly string[], prelude: string): string {
  const standIns = timeMachinePath === undefined ? ['timeMachine'] : [];
  const functions = examples.map(
    ({ name, code }) => `  '${name}': async () => {\n${prelude}{\n${withClaims(shortened(code))}}\n  },\n`,
  );
  return [
    `import { ${names.filter((name) => !standIns.includes(name)).join(', ')} } from 'deep-rnn';`,
    `import { ${['expectShown', ...standIns].join(', ')} } from '${support}';`,
    `export const examples: Record<string, () => Promise<void>> = {\n${functions.join('')}};\n`,
  ].join('\n');
}

export interface Generated {
  /** The compiler's complaints; empty when there are none. */
  complaints: string;
  /** Compiled modules of examples, for {@link main}. */
  modules: string[];
  /** Compiled programs, in the order given. */
  programs: string[];
  /** test/helpers/example-main.ts, compiled. */
  main: string;
}

/** Writes and compiles a module for each file with examples, and each program. */
export function generate(
  examples: readonly Example[],
  programs: readonly Example[],
  { names, prelude }: { names: readonly string[]; prelude: string },
): Generated {
  rmSync(folder, { recursive: true, force: true });
  const write = (file: string, code: string) => {
    const path = join(folder, 'modules', `${file.replaceAll(/[^\w]+/g, '-')}.ts`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, code);
    return path;
  };
  const files = [...new Set(examples.map(({ file }) => file))];
  const modules = files.map((file) =>
    write(
      file,
      moduleOf(
        examples.filter((example) => example.file === file),
        names,
        prelude,
      ),
    ),
  );
  const written = programs.map(({ name, code }) => write(name, shortened(code)));
  const main = join(root, 'test', 'helpers', 'example-main.ts');

  const outDir = join(folder, 'compiled');
  const program = ts.createProgram([...modules, ...written, main], { ...OPTIONS, rootDir: root, outDir });
  const { diagnostics } = program.emit();
  const complaints = ts.formatDiagnostics([...ts.getPreEmitDiagnostics(program), ...diagnostics], {
    getCanonicalFileName: (path) => path,
    getCurrentDirectory: () => root,
    getNewLine: () => '\n',
  });
  const compiled = (path: string) => join(outDir, relative(root, path).replace(/ts$/, 'js'));
  return { complaints, modules: modules.map(compiled), programs: written.map(compiled), main: compiled(main) };
}
