/** `1 image`, `2 images`, for people. */
export const imageCount = (count: number): string => (count === 1 ? '1 image' : `${count} images`);
