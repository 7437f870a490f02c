/** Storages: reference-counted device buffers that one or several tensors are views of. */
import type { Device } from './device.js';
import type { Handle } from './native/binding.js';

/** A device buffer; freed when the last tensor that views it lets go. */
export class Storage {
  readonly device: Device;
  readonly handle: Handle;
  readonly bytes: number;
  private references = 1;

  /** A new buffer with undefined contents and one reference, the caller's. */
  constructor(device: Device, bytes: number) {
    this.device = device;
    this.handle = device.allocate(bytes);
    this.bytes = bytes;
  }

  /** Whether nobody but one holder sees this buffer. */
  get isExclusive(): boolean {
    return this.references === 1;
  }

  retain(): this {
    this.references++;
    return this;
  }

  release(): void {
    this.references--;
    // Closing a device has freed its buffers already.
    if (this.references === 0 && !this.device.isClosed) this.device.binding.free(this.handle);
  }
}
