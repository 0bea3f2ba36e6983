export function drawView() {}
