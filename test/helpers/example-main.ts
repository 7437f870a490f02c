/**
 * Runs the examples that modules export, one after another, and writes what each threw (null: nothing) into a file of JSON:
 *
 *   node example-main.js results.json module.js...
 */
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

const [results, ...modules] = process.argv.slice(2);
const thrown: Record<string, string | null> = {};
for (const path of modules) {
  const { examples } = (await import(pathToFileURL(path).href)) as { examples: Record<string, () => Promise<void>> };
  for (const [name, run] of Object.entries(examples)) {
    thrown[name] = await run().then(
      () => null,
      (error) => inspect(error),
    );
  }
}
writeFileSync(results, JSON.stringify(thrown));
