package picture_test

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/test/picture"
)

// stripes is a picture with a column in each of many greys, and the rest in one colour.
func stripes(c color.Color) image.Image {
	drawn := image.NewRGBA(image.Rect(0, 0, 400, 4))
	for x := range 400 {
		for y := range 4 {
			drawn.Set(x, y, c)
		}
		drawn.Set(x, 0, color.RGBA{uint8(x / 2), uint8(x), 7, 255})
	}
	return drawn
}

func TestPNGKeepsTheFrequentColours(t *testing.T) {
	t.Parallel()
	orange := color.RGBA{250, 120, 10, 255}
	file, err := picture.PNG(stripes(orange))
	require.NoError(t, err)
	read, err := png.Decode(bytes.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, orange, color.RGBAModel.Convert(read.At(200, 2)))
	require.Len(t, read.(*image.Paletted).Palette, 256)
}

func TestGIFShowsEachPictureForItsTime(t *testing.T) {
	t.Parallel()
	red, blue := color.RGBA{200, 0, 0, 255}, color.RGBA{0, 0, 200, 255}
	file, err := picture.GIF([]picture.Frame{{stripes(red), time.Second}, {stripes(blue), 2500 * time.Millisecond}})
	require.NoError(t, err)
	film, err := gif.DecodeAll(bytes.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, []int{100, 250}, film.Delay)
	require.Zero(t, film.LoopCount, "for ever")
	for i, c := range []color.RGBA{red, blue} {
		require.Equal(t, c, color.RGBAModel.Convert(film.Image[i].At(200, 2)))
	}
	_, err = picture.GIF(nil)
	require.Error(t, err)
}
