// The parts of a page that are live: the page itself is asked for again, and what is another in it is put in its place.

// The page, read as a document: nothing in it runs, and there is no second way in which it is made.
export function renewParts(done) {
  const request = new XMLHttpRequest();
  request.open("GET", location.href);
  request.setRequestHeader("Accept", "text/html");
  request.responseType = "document";
  request.addEventListener("load", () => {
    if (request.status !== 200 || !request.responseXML) return;
    put(request.responseXML);
    done?.();
  });
  request.send();
}

function put(found) {
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = found.getElementById(part.id);
    // What a reader is at stays as it is.
    if (!other || part.contains(document.activeElement) || part.isEqualNode(other)) continue;
    part.replaceWith(document.adoptNode(other));
  }
  document.dispatchEvent(new Event("m-new"));
}
