import { afterEach, describe, expect, it } from 'vitest';
import { PeerProcess } from '../../bench/peer-process.js';

// Speaks as bench/peers/serve.py does, without Python.
const PEER = `
console.log(JSON.stringify('1.2.3'));
const { createInterface } = require('node:readline');
createInterface({ input: process.stdin }).on('line', (line) => {
  const question = JSON.parse(line);
  if (question.open === 'never') return;
  if (question.open === 'projection') console.log(JSON.stringify({ error: 'has no projection' }));
  else if (question.open === 'crash') { console.error('first\\nout of memory'); process.exit(1); }
  else console.log(JSON.stringify(question.run === undefined ? null : question.run / 2));
});`;

describe('a peer', () => {
  let peer: PeerProcess;
  const start = async () => {
    peer = new PeerProcess(process.execPath, ['-e', PEER]);
    expect(await peer.version()).toBe('1.2.3');
  };
  afterEach(() => peer.stop());

  it('answers questions in order', async () => {
    await start();
    const answers = [peer.ask({ open: 'some work' }, 60), peer.ask({ run: 4 }), peer.ask({ run: 6 }, 60)];
    expect(await Promise.all(answers)).toEqual([null, 2, 3]);
  });

  it('says what it cannot do, and can still be asked', async () => {
    await start();
    await expect(peer.ask({ open: 'projection' })).rejects.toThrow('has no projection');
    expect(await peer.ask({ run: 2 })).toBe(1);
    expect(peer.running).toBe(true);
  });

  it('that ends leaves its last words', async () => {
    await start();
    await expect(peer.ask({ open: 'crash' })).rejects.toThrow('stopped: out of memory');
    await expect(peer.ask({ run: 2 })).rejects.toThrow('stopped: out of memory');
  });

  it('is stopped when it takes too long', async () => {
    await start();
    await expect(peer.ask({ open: 'never' }, 0.05)).rejects.toThrow('not ready within 0.05 s');
    expect(peer.running).toBe(false);
    await expect(peer.ask({ run: 2 })).rejects.toThrow('stopped');
  });

  it('that does not exist is no crash', async () => {
    peer = new PeerProcess('/nonexistent/python', []);
    await expect(peer.version()).rejects.toThrow('ENOENT');
  });
});
