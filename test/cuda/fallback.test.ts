/** A machine with a driver and without the rest of what CUDA takes. */
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, test } from 'vitest';
import { requireBuild, root, runNode } from '../helpers/programs.js';

const program = (kind: string) =>
  `import { device } from '${join(root, 'dist', 'index.js')}'; console.log(device('${kind}').kind);`;

test('device() takes the CPU and says why once, where CUDA does not open in spite of a driver', async () => {
  requireBuild();
  const folder = mkdtempSync(join(tmpdir(), 'deep-rnn-driver-'));
  try {
    const shim = process.env.DEEP_RNN_CUDA_PATH!.split(delimiter)[0];
    symlinkSync(join(shim, 'libcuda.so.1'), join(folder, 'libcuda.so.1'));
    const env = { DEEP_RNN_CUDA_PATH: folder, DEEP_RNN_DEVICE: '' };
    const twice = `${program('auto')} device();`;
    const automatic = await runNode(['--input-type=module', '-e', twice], { env });
    expect(automatic.stdout).toBe('cpu\n');
    expect(automatic.stderr.match(/DEEP_RNN_NO_CUDA\] Warning: computing on the CPU/g)).toHaveLength(1);
    expect(automatic.stderr).toContain('none of libcublas.so.13');
    const named = await runNode(['--input-type=module', '-e', program('cuda')], { env });
    expect(named.status).toBe(1);
    expect(named.stderr).toContain('Expected a CUDA device but none can be used: cuBLAS: none of');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
