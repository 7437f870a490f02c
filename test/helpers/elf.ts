/** What a 64-bit little-endian ELF shared object asks of the system that loads it. */

/** Section types, from the System V ABI and the GNU extensions to it. */
const SECTION = { dynamic: 6, dynamicSymbols: 11, versionNeeds: 0x6ffffffe };
const DT_NEEDED = 1;
const SHN_UNDEF = 0;

const MACHINES: Record<number, string> = { 62: 'x64', 183: 'arm64' };

export interface SharedObject {
  /** The processor, in Node's words. */
  machine: string;
  /** Names of the libraries it is linked to. */
  libraries: string[];
  /** Names of the symbols that others must define. */
  undefinedSymbols: string[];
  /** Symbol versions it needs, such as `GLIBC_2.34`. */
  versions: string[];
}

interface Section {
  type: number;
  offset: number;
  size: number;
  /** Number of the section that holds this one's strings. */
  strings: number;
  /** Number of records in a section of version needs. */
  info: number;
  entrySize: number;
}

/** @throws Error when the bytes are no 64-bit little-endian ELF file. */
export function readSharedObject(bytes: Buffer): SharedObject {
  const magic = bytes.subarray(0, 6);
  if (!magic.equals(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1])))
    throw new Error(
      `Expected a 64-bit little-endian ELF file but received one that begins with ${magic.toString('hex')}`,
    );
  const number64 = (offset: number) => Number(bytes.readBigUInt64LE(offset));
  const start = number64(40);
  const entry = bytes.readUInt16LE(58);
  const sections = Array.from({ length: bytes.readUInt16LE(60) }, (_, index): Section => {
    const at = start + index * entry;
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: number64(at + 24),
      size: number64(at + 32),
      strings: bytes.readUInt32LE(at + 40),
      info: bytes.readUInt32LE(at + 44),
      entrySize: number64(at + 56),
    };
  });

  const text = (section: Section, offset: number) => {
    const from = sections[section.strings].offset + offset;
    return bytes.toString('latin1', from, bytes.indexOf(0, from));
  };
  const records = (type: number) =>
    sections
      .filter((section) => section.type === type)
      .flatMap((section) =>
        Array.from({ length: section.size / section.entrySize }, (_, index) => ({
          section,
          at: section.offset + index * section.entrySize,
        })),
      );

  return {
    machine: MACHINES[bytes.readUInt16LE(18)] ?? `machine ${bytes.readUInt16LE(18)}`,
    libraries: records(SECTION.dynamic)
      .filter(({ at }) => number64(at) === DT_NEEDED)
      .map(({ section, at }) => text(section, number64(at + 8))),
    undefinedSymbols: records(SECTION.dynamicSymbols)
      .filter(({ at }) => bytes.readUInt16LE(at + 6) === SHN_UNDEF)
      .map(({ section, at }) => text(section, bytes.readUInt32LE(at)))
      .filter((name) => name !== ''),
    versions: sections.filter(({ type }) => type === SECTION.versionNeeds).flatMap(versionsOf),
  };

  /** A list of libraries, each with a list of versions; links are distances in bytes. */
  function versionsOf(section: Section): string[] {
    const versions: string[] = [];
    let library = section.offset;
    for (let i = 0; i < section.info; i++) {
      let version = library + bytes.readUInt32LE(library + 8);
      for (let j = bytes.readUInt16LE(library + 2); j > 0; j--) {
        versions.push(text(section, bytes.readUInt32LE(version + 8)));
        version += bytes.readUInt32LE(version + 12);
      }
      library += bytes.readUInt32LE(library + 12);
    }
    return versions;
  }
}
