/**
 * Fixes of the language service that are taken, with the trust in each. Those that write a body which throws, cast a type away or guess a
 * declaration are not here: they silence a finding and mend nothing.
 */
export const SERVICE_FIXES: Readonly<Record<string, number>> = {
  import: 0.95,
  fixImportNonExportedMember: 0.95,
  convertToTypeOnlyImport: 0.95,
  convertToTypeOnlyExport: 0.95,
  extendsInterfaceBecomesImplements: 0.9,
  forgottenThisPropertyAccess: 0.9,
  classSuperMustPrecedeThisAccess: 0.9,
  fixOverrideModifier: 0.9,
  fixUnusedLabel: 0.9,
  fixPropertyAssignment: 0.85,
  removeUnnecessaryAwait: 0.8,
  unusedIdentifier: 0.7,
  fixUnreachableCode: 0.7,
  constructorForDerivedNeedSuperCall: 0.7,
  fixAwaitInSyncFunction: 0.7,
  fixMissingCallParentheses: 0.65,
  spelling: 0.6,
};
