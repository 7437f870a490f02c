/** A device for all tests of a file, and the check that no test leaves buffers behind on it. */
import { afterAll, afterEach, beforeEach, expect } from 'vitest';
import { type Device, device, setDefaultDevice } from '../../src/device.js';

/** Opens the file's device and makes it the default; call once, outside of tests. */
export function expectNoLeaks(): Device {
  const shared = device(process.env.DEEP_RNN_DEVICE === 'cuda' ? 'cuda' : 'cpu', { threads: 2 });
  setDefaultDevice(shared);
  let buffers = 0;
  beforeEach(() => {
    setDefaultDevice(shared);
    buffers = shared.memory().buffers;
  });
  afterEach(() => {
    expect(shared.memory().buffers, 'buffers left by the test').toBe(buffers);
  });
  afterAll(() => shared.close());
  return shared;
}
