// Package web is what a person sees: the page that connects a Hub user to
// GitHub, its admin's page, the one about bots, its errors. It embeds the templates, the one style
// sheet, the one script and the texts of every language, checks all of them
// when it is made ([New]), and renders a view model ([View], [AdminView],
// [ErrorView]) that the caller fills.
//
// The page works without JavaScript: every action is a plain form, and while
// something is under way the page refreshes itself. The script sends the same
// forms by fetch, listens to server-sent events and swaps the inside of <main>
// for a fresh [Pages.Fragment].
//
// Whatever a name, a server or GitHub says is text: it is escaped, isolated
// from the direction of the text around it and cut to a length that a page
// bears. There is no inline script or style, so that the strictest
// Content-Security-Policy holds.
//
// This package does not know routes, sessions, stores or clocks. The caller decides
// who may see what; in particular [View.CSRF] must be filled only for a navigation of a document.
package web
