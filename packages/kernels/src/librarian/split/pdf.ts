import { GraceError } from '@grace/contracts';
import type { Section } from './chunk.ts';

const MAX_PAGES = 2000;
/** Characters. What a reader can use of one document; drawings made of letters have more. */
const MAX_TEXT = 8_000_000;

/**
 * The text of each page. Runs in a thread of the pool alone, which is ended when it takes too long or too much.
 * @throws GraceError `DOCUMENT_UNREADABLE` for what is damaged, encrypted or too much
 */
export async function splitPdf(
  bytes: Uint8Array,
): Promise<{ sections: Section[]; title?: string; note?: string; characters: number }> {
  const { getDocumentProxy } = await import('unpdf');
  // The document may hold programs: none is run. Its reader takes the bytes over, so it gets a copy.
  const asked = { isEvalSupported: false, useSystemFonts: false, disableFontFace: true, verbosity: 0 };
  const document = await getDocumentProxy(bytes.slice(), asked).catch(refuse);
  try {
    if (document.numPages > MAX_PAGES)
      throw unreadable(`it has ${document.numPages} pages, at most ${MAX_PAGES} are read`);
    const sections: Section[] = [];
    const broken: number[] = [];
    let characters = 0;
    for (let number = 1; number <= document.numPages; number++) {
      const text = await pageText(document, number).catch(() => undefined);
      if (text === undefined) broken.push(number);
      else if (text.trim() !== '') sections.push({ name: `page ${number}`, text });
      characters += text?.length ?? 0;
      if (characters > MAX_TEXT) throw unreadable(`it has more than ${MAX_TEXT} characters of text`);
    }
    if (broken.length === document.numPages) throw unreadable('none of its pages can be read');
    const title = await titleOf(document);
    const note = noteOn(broken, sections.length);
    return { sections, characters, ...(title ? { title } : {}), ...(note ? { note } : {}) };
  } finally {
    await document.loadingTask.destroy();
  }
}

type PdfDocument = Awaited<ReturnType<typeof import('unpdf')['getDocumentProxy']>>;

async function pageText(document: PdfDocument, number: number): Promise<string> {
  const page = await document.getPage(number);
  const { items } = await page.getTextContent();
  page.cleanup();
  return items.map((item) => ('str' in item ? `${item.str}${item.hasEOL ? '\n' : ''}` : '')).join('');
}

async function titleOf(document: PdfDocument): Promise<string | undefined> {
  const title = await document.getMetadata().then(
    (metadata) => (metadata.info as { Title?: unknown }).Title,
    () => undefined,
  );
  return typeof title === 'string' && title.trim() !== '' ? title.trim() : undefined;
}

function noteOn(broken: readonly number[], read: number): string | undefined {
  if (broken.length > 0) return `pages that could not be read: ${broken.slice(0, 20).join(', ')}`;
  return read === 0 ? 'no text: its pages are pictures, or empty' : undefined;
}

const unreadable = (why: string): GraceError => new GraceError('DOCUMENT_UNREADABLE', `the pdf is not read: ${why}`);

function refuse(error: unknown): never {
  const { name, message } = error as Error;
  throw unreadable(name === 'PasswordException' ? 'it is encrypted with a password' : `it is damaged (${message})`);
}
