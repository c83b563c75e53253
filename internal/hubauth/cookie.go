package hubauth

import (
	"time"

	"github.com/gorilla/securecookie"
)

// CookieKey is made of two keys of 32 bytes: one that signs and one that
// encrypts.
type CookieKey struct{ Sign, Seal []byte }

// loginCodecs are for what the browser keeps during a login, which is secret.
func loginCodecs(keys []CookieKey) []securecookie.Codec {
	var codecs []securecookie.Codec
	for _, key := range keys {
		codecs = append(codecs, securecookie.New(key.Sign, key.Seal).SetSerializer(securecookie.JSONEncoder{}).MaxAge(int(loginLife.Seconds())))
	}
	return codecs
}

// sessionCodecs are for the id of a session. That is random and means nothing
// but to the store, so it is signed and no more: every request reads it.
func sessionCodecs(keys []CookieKey, life time.Duration) []securecookie.Codec {
	var codecs []securecookie.Codec
	for _, key := range keys {
		codecs = append(codecs, securecookie.New(key.Sign, nil).SetSerializer(securecookie.NopEncoder{}).MaxAge(int(life.Seconds())))
	}
	return codecs
}
