"""Texts that show a model what it will read, to fit the ranges of its 8-bit activations to.

Written for this and for nothing else: many subjects, registers, lengths and scripts, a few of each.
They are data of the quantised model, as its weights are: a change here changes its vectors.
"""

from __future__ import annotations

_MESSAGES = (
    "My parcel was due on Tuesday and the tracking page has not moved since.",
    "how do i change the phone number on my account??",
    "Please cancel the second subscription, I only ever wanted one.",
    "The app closes itself whenever I open the camera.",
    "refund still not here after 3 weeks, this is a joke",
    "Can two people share one season ticket?",
    "ok thanks",
    "No.",
    "I was charged 42.50 EUR twice on 03/11, order #A-99817-X. Kindly return one of the payments.",
    "what is the weather going to be in lisbon on sunday afternoon",
    "remind me to water the plants at 7 pm",
    "Who is allowed to see my medical records?",
    "LOUD NOISE FROM THE FLAT ABOVE EVERY NIGHT AFTER 2 AM!!!",
    "tbh the 2nd season was way better lol 😂😂",
    "Congratulations! You have been selected. Reply YES to 80082 to claim your free voucher now",
    "@maria_k did you see this? 🔥🔥 https://example.org/p/7fa2?ref=home #sunset #nofilter",
)
_HEADLINES = (
    "Council Votes to Close Three Libraries by Spring",
    "Markets slip as energy prices climb for a fifth day",
    "Local Man Wins Argument With Own Reflection",
    "Storm warning lifted along the northern coast",
    "Five easy dinners for people who hate washing up",
    "Striker out for six weeks with a torn ligament",
    "Opinion: The quiet death of the office telephone",
    "Scientists find water ice in the shadow of a lunar crater",
)
_KNOWLEDGE = (
    "We prove that every finitely generated group acting freely on a tree is free, and bound the "
    "rank of its subgroups by an elementary counting argument.",
    "Let $f: X \\to Y$ be a proper morphism with $\\dim X = n$; then $R^i f_* \\mathcal{O}_X = 0$ "
    "for all $i > n$.",
    "A Bayesian treatment of sparse regression with heavy-tailed noise",
    "Deep convolutional networks for the segmentation of retinal images: a comparison of losses",
    "The mitochondrion turns sugar and oxygen into adenosine triphosphate, which the rest of the "
    "cell spends on building proteins, pumping ions and moving about.",
    "A train leaves at 9:15 and travels 84 km at 70 km/h. A second one leaves 20 minutes later at "
    "90 km/h. How many minutes after the first does the second arrive at the same station?",
    "Sara has 5 boxes of 12 pencils and gives away a third of them. How many does she keep?",
    "The lessee shall, at its own expense, keep the premises in good repair and shall indemnify "
    "the lessor against any claim arising from its use thereof, save where caused by negligence.",
    "Patient presents with 3-day history of productive cough, T 38.4 C, SpO2 94% on air. CXR: "
    "right lower lobe consolidation. Plan: amoxicillin 500 mg t.d.s., review in 48 h.",
    "Photosynthesis",
    "Whisk the egg whites until stiff, fold in the sugar a spoon at a time, and bake at 110 "
    "degrees for an hour and a half; leave the door ajar while they cool.",
    "The treaty of 1648 ended thirty years of war, redrew the map between the Rhine and the Oder, "
    "and left behind the idea that a prince has no business with the faith of his neighbours.",
)
_STORIES = (
    "She put the letter back into the drawer, locked it, and threw the key into the river on her "
    "way to work. By noon she had begun to regret it. By evening she was kneeling on the bank in "
    "her good coat, sleeves rolled to the shoulder, feeling about among the stones.",
    "Shall the rose that bloomed at morning / Close before the fall of night, / And the lark that "
    "sang its warning / Fold its wings against the light?",
    "The hotel was clean and close to the station, and breakfast was generous. The walls, though, "
    "are made of paper: we heard every word of a quarrel next door until two in the morning, and "
    "when we complained the man at the desk only shrugged. For the price I had expected better, "
    "and I would not stay here again unless everything else in town were full.",
    "I have written to the bank four times since January about an account that I did not open. "
    "Each time another clerk asks for the same papers, each time I send them, and each time I am "
    "told that they never arrived. Meanwhile the debt has been sold to a collector who rings me at "
    "work, my credit score has fallen by ninety points, and my application for a mortgage was "
    "turned down because of it. I ask for three things: that the account be closed, that the entry "
    "be removed from my file, and that somebody tells me in writing how this could happen.",
)
_CODE_AND_SYMBOLS = (
    "def mean(values):\n    return sum(values) / len(values) if values else 0.0",
    "SELECT city, COUNT(*) AS n FROM orders WHERE total > 100 GROUP BY city ORDER BY n DESC;",
    '{"id": 17, "tags": ["a", "b"], "ok": true, "note": null, "ratio": 0.125}',
    "Traceback (most recent call last): KeyError: 'user_id' at line 214 of handlers/session.py",
    "<div class='row'><a href=\"/help\">Help &amp; contact</a></div>",
    "for (int i = 0; i < n; ++i) { acc += a[i] * b[i]; }  // O(n)",
    "git rebase -i HEAD~3 && ./configure --prefix=/opt/tool && make -j8 install",
    "2024-02-29T23:59:59Z 192.168.0.17 GET /index.html 404 0.003s",
    "3.14159265358979 2.71828182845905 1.41421356237310 0.57721566490153",
    "+49 30 901820, 0044-20-7946-0958, (555) 010-9999",
    "a",
    "7",
    "???",
    "...!!!???...",
    "--------------------------------",
    "😀 🎉 ❤️ 👍🏽 🚀",
    "∀ε>0 ∃δ>0: |x−a|<δ ⇒ |f(x)−f(a)|<ε",
    "asdkjh qwoeiu zmxncb lkjasd",
    "the the the the the the the the the the the the the the the the",
    "",
)
_LANGUAGES = (
    "Der Zug nach Leipzig fällt heute wegen einer Weichenstörung leider aus.",
    "Où puis-je faire réparer mon vélo un dimanche ? La chaîne a sauté ce matin.",
    "El gato duerme encima del teclado y no hay manera de trabajar.",
    "Il treno delle sette è in ritardo di quaranta minuti, come ogni lunedì.",
    "Amanhã vamos à praia se não chover outra vez.",
    "De gemeente legt in het voorjaar een nieuw fietspad aan langs het kanaal.",
    "Jutro rano pojadę na targ po świeże warzywa i chleb.",
    "Yarın sabah erkenden yola çıkacağız, hava güzel olursa yüzeriz.",
    "Habari za asubuhi, naomba kujua bei ya mahindi sokoni leo.",
    "Ina son in san lokacin da za a buɗe kasuwa gobe da safe.",
    "Ẹ káàárọ̀, ṣé ẹ ti jẹun? Mo fẹ́ lọ sí ọjà.",
    "Bawo ni ọjọ́ ṣe rí, omo mi don reach house well well",
    "Kedu ka ị mere? Achọrọ m ịga ahịa echi.",
    "Ndiyabulela kakhulu, sizobonana ngomso kusasa.",
    "Завтра обещают снег, возьмите тёплую куртку и не забудьте перчатки.",
    "Το πλοίο για το νησί φεύγει στις οκτώ το πρωί.",
    "مرحبا، متى يفتح المكتب يوم الأحد؟ أريد أن أجدد جواز سفري.",
    "שלום, באיזו שעה יוצא האוטובוס האחרון לתחנה המרכזית?",
    "आज बाज़ार में बहुत भीड़ थी, इसलिए मैं देर से पहुँचा।",
    "ตลาดเปิดกี่โมง พรุ่งนี้ฉันอยากไปซื้อผลไม้",
    "ሰላም፣ ገበያው ነገ ስንት ሰዓት ይከፈታል?",
    "내일 아침에 비가 오면 산책은 다음 주로 미루자.",
    "駅前の小さな本屋が来月で閉店するそうです。とても残念です。",
    "昨天的会议推迟到下周三下午，请大家提前准备材料。",
    "小船過了第三座橋，兩岸的燈一盞一盞亮起來，水面像撒了一把碎銀。",
    "春雨細如絲，孤燈照舊詩。故人千里外，明月一庭時。柳色侵簾暗，花香入夢遲。不知今夜客，何處寄相思。",
    "山高月小，水落石出。一葉輕舟，半壺濁酒，問漁人何處是歸程。",
)
_GROUPS = (_MESSAGES, _HEADLINES, _KNOWLEDGE, _STORIES, _CODE_AND_SYMBOLS, _LANGUAGES)
# Four of a group, one after the other, fill a good part of what most models read.
_JOINED = 4


def calibration_texts() -> list[str]:
    """Return about 120 different texts, from none to some 600 tokens; the same at every call."""
    texts = [text for group in _GROUPS for text in group]
    for group in _GROUPS:
        texts += [
            " ".join(group[start : start + _JOINED]) for start in range(0, len(group), _JOINED)
        ]
    texts.append(" ".join(_STORIES + _KNOWLEDGE))
    return texts
