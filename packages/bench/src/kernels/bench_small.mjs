// A kernel that does nothing: what many of them cost is what Grace costs.
export default function small(id) {
  return { id, start: () => ({ verbs: { nothing: () => ({}) }, probe: () => ({ ok: true }) }) };
}
