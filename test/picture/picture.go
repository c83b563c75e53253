package picture

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"maps"
	"slices"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Take takes a picture of a part of what a tab shows, also of what is beyond the
// window.
func Take(tab context.Context, part page.Viewport) (image.Image, error) {
	beyond := true
	shot, err := chromedp.Call(tab, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond, Clip: &part})
	if err != nil {
		return nil, err
	}
	return png.Decode(bytes.NewReader(shot.Data))
}

// PNG is a picture as a file, with a palette of its 256 most frequent colours.
func PNG(picture image.Image) ([]byte, error) {
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, paletted(picture, palette(picture))); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Frame is one picture of a film, and for how long it is shown.
type Frame struct {
	image.Image
	For time.Duration
}

// GIF is a film as a file, which begins again at its end. Its pictures have one size
// and one palette.
func GIF(frames []Frame) ([]byte, error) {
	if len(frames) == 0 {
		return nil, fmt.Errorf("a film has pictures")
	}
	pictures := make([]image.Image, len(frames))
	for i, frame := range frames {
		pictures[i] = frame.Image
	}
	colours := palette(pictures...)
	film := gif.GIF{}
	for _, frame := range frames {
		film.Image = append(film.Image, paletted(frame.Image, colours))
		film.Delay = append(film.Delay, int(frame.For/(10*time.Millisecond)))
	}
	var out bytes.Buffer
	if err := gif.EncodeAll(&out, &film); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// palette has the most frequent colours of pictures.
func palette(pictures ...image.Image) color.Palette {
	counts := map[color.RGBA]int{}
	for _, picture := range pictures {
		bounds := picture.Bounds()
		for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
			for x := bounds.Min.X; x < bounds.Max.X; x++ {
				counts[color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)]++
			}
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(rgb(a), rgb(b)))
	})
	few := make(color.Palette, 0, 256)
	for _, c := range colours[:min(len(colours), 256)] {
		few = append(few, c)
	}
	return few
}

func paletted(picture image.Image, colours color.Palette) *image.Paletted {
	few := image.NewPaletted(picture.Bounds(), colours)
	draw.Draw(few, few.Bounds(), picture, picture.Bounds().Min, draw.Src)
	return few
}

func rgb(c color.RGBA) uint32 { return uint32(c.R)<<16 | uint32(c.G)<<8 | uint32(c.B) }
