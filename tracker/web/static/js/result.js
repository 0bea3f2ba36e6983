export function resultView() {}
