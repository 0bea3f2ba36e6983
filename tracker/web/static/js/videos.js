export function videosView() {}
