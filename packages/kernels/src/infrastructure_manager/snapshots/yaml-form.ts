import { parseAllDocuments } from 'yaml';

/** @throws YAMLParseError the first thing that is wrong with the text */
export function refuseYaml(text: string): void {
  for (const document of parseAllDocuments(text)) if (document.errors[0]) throw document.errors[0];
}
